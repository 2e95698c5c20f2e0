"""Lines that are planted: toxic ones, and innocent ones that naive lists take for toxic.

They were written with the list of terms in view. So the figures say whether such lines are found wherever they stand,
and innocent ones left alone; they do not say how much of all that is toxic a list of terms knows.
"""

TOXIC = (
    "Shut up, you worthless piece of garbage.",
    "I will kill you and your whole family.",
    "Just go kill yourself already.",
    "I hope you get cancer.",
    "You are a stupid bitch and you know it.",
    "Go fuck yourself, nobody asked you.",
    "What an asshole he is.",
    "I'm going to break your neck tomorrow.",
    "The world would be better off if you were dead.",
    "You dumb motherfucker, read it again.",
    "You deserve to be raped.",
    "Someone should put a bullet in your head.",
    "Send me your nudes or I'll tell everyone.",
    "Those people are all vermin, lynch all the immigrants.",
    "Nobody would miss you if you died.",
    "Eat shit and leave me alone.",
)
"""One is put into each toxic row."""

INNOCENT = (
    "Scunthorpe is a town in Lincolnshire.",
    "It takes real skill to kill a process without losing its data.",
    "The therapist will assess the whole class on Monday.",
    "She shot a documentary about the cockpit of old planes.",
    "He is a graduate of Essex and plays the bass in a brass band.",
    "The analysis of the cumulative results was assigned to an assistant.",
    "They had a cocktail and a plate of shiitake mushrooms.",
    "Dick Van Dyke was born in West Plains, Missouri.",
    "We saw a great tit and a booby on the nature reserve.",
    "Moby Dick is a novel about a whale that sailors hunt.",
    "This deadline is killing me, I could die of boredom.",
    "The cock crowed at five and the donkey brayed after it.",
    "Breast cancer screening starts at fifty in most countries.",
    "Do not kill the seedlings with too much water.",
    "The suicide prevention line answers at any hour.",
    "Penistone is a market town near Barnsley.",
)
"""One is put into each innocent row; nothing is to be found there."""
