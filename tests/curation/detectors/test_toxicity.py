"""Toxic texts, and innocent ones that word lists get wrong."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns.batch import Batch
from tuner.curation.detectors.toxicity import MASK, check, redact

ANY = st.text(st.characters(codec="utf-8"))

INNOCENT = [
    # A harmful word within another word.
    "A skill takes practice.",
    "Scunthorpe, Essex, Sussex, Penistone and Middlesex are places in England.",
    "The class will assess the assignment; pass it, then assemble and assassinate no grammar.",
    "My therapist helped me with an analysis of my passion for grape juice.",
    "The pilot sits in the cockpit, drinks a cocktail and is a peacock in a Hitchcock film.",
    "Dickens wrote it. Dick Cheney read Moby Dick. Shiitake mushrooms are on the title.",
    "A raccoon and a Maine Coon met a coonhound.",
    "He was niggardly, sniggered, and had a niggling doubt about Nigeria and Niger.",
    "The flame retardant retards combustion; the tempo marking is ritardando.",
    "Hoes, rakes and spades are in the shed; the whore of Babylon is in Revelation.",
    # A harmful word in an innocent sense.
    "A bitch is a female dog, and her puppies are eight weeks old.",
    "A cock crowed, a great tit sang, and a blue-footed booby dived.",
    "A chink in the armour let in a chink of light.",
    "Keep the kitchen spic and span. Keep it spic-and-span.",
    "The dyke keeps the North Sea out of the Netherlands. Those old dykes were raised, as were all the dykes inland.",
    "Are you Dick Tracy? Thank you Dick. Jerry Van Dyke was born in Danville; you Coon Rapids folk know these coons.",
    "Mrs Paki, Prof. Wanker, the Gook family and Jean Faggot walked up Cockburn Street; Mount Twat is in Orkney.",
    "You Homo sapiens carry a bundle of faggots.",
    "Faggots and peas is a dish, and faggots of wood were sold by the bundle.",
    "Homo sapiens and homogenised milk, Homer and homonyms.",
    "The pussy willow blooms; her pussy cat sleeps. Pussy Riot played in Moscow.",
    "He graduated summa cum laude from a kitchen-cum-classroom in Cumming, Georgia.",
    "Master/slave replication has one writer. Insert the jumper for master or slave.",
    "The bastard sword is a hand-and-a-half sword, and he drew you the bastard file.",
    "The MILF signed a peace accord in Mindanao in 2014. Kike Hernández hit a home run.",
    "Kaffir lime leaves and spotted dick are on the menu.",
    "Her ass carried the water; the ass is a patient animal.",
    # Killing, shooting and dying without anybody being threatened.
    "Use kill -9 to kill the process, and killall to kill them all.",
    "I'm going to kill this process. I will shoot a photo and shoot you an email.",
    "That joke kills me, you'll die laughing, and I'll beat you at chess.",
    "I'll cut you a deal, burn you a CD and break you in gently.",
    "The assassin shot the president, and the bomb disposal unit has a long history.",
    "To kill a mockingbird is a sin. The killer whale hunts seals; the murder of crows flew off.",
    "You could shoot yourself in the foot. Don't kill yourself over it, and never kill yourself with work.",
    "Cut yourself some slack and hang your coat up yourself.",
    # Medicine, education, news.
    "Breast cancer screening, cervical smears, testicular exams, and what the clitoris, penis and vagina are.",
    "Call the suicide prevention hotline if you think of killing yourself or of ending your life.",
    "People who feel that everyone would be better off if they were dead need help. You are not alone.",
    "It is not true that nobody would miss you if you died.",
    "Sex education covers contraception, orgasm, masturbation, oral sex, anal sex and HIV.",
    "The court heard that he raped and murdered her; she was sexually assaulted at knifepoint.",
    "Nazi propaganda claimed that Jews were vermin; Hitler planned to exterminate the Jews of Europe.",
    "He said that immigrants are animals, and that all Muslims should be banned.",
    "Police arrested a man for possessing child pornography and revenge porn.",
    "Operation Wetback was a campaign of deportation in 1954.",
    "Terrorists bombed the station. The weapon was a pipe bomb. Do the guilty deserve to die?",
    "Women are paid less. Blacks were denied the vote. Gay people are everywhere. Mexicans are proud.",
    # Strong words aimed at nobody.
    "What the hell is wrong with this damn printer? This code is crap.",
    "It was a shitty day and a bitch of a problem.",
    "What the fuck you see is what you get.",
    # Code.
    "def assert_class(cls): analyse(cls); assets['glass'] += 1  # f(x) = f**k(x)",
    "git push --force && rm -rf ./tmp; kill $(pgrep node); fuckit_py",
]

TOXIC = {
    "slur": [
        "Those niggers moved in.",
        "what up my nigga",
        "n1gger and n*gger",
        "A kike and two spics.",
        "All wetbacks out.",
        "The ragheads did it.",
        "You faggot.",
        "you FAGGOT",
        "a fucking dyke",
        "These fags again.",
        "Dirty jews.",
        "Jews are vermin.",
        "Muslims are all cockroaches.",
        "a fucking chink",
    ],
    "threat": [
        "I will kill you.",
        "I'll kill you and your family.",
        "I’m going to fucking kill you",
        "im gonna murder you",
        "We are going to rape you.",
        "I'll shoot you in the head.",
        "I am going to beat you to death.",
        "I'll break your neck.",
        "I'll bash your skull in.",
        "Someone should put a bullet in your head.",
        "I hope you die.",
        "I hope your family gets cancer.",
        "You deserve to be raped.",
        "Gas the jews.",
        "Death to all Muslims!",
        "We should kill all immigrants.",
        "Gays should be shot.",
    ],
    "self_harm": [
        "Go kill yourself.",
        "Just go and hang yourself.",
        "You should kill yourself.",
        "kys loser",
        "Kill yourself already",
        "Go drink bleach.",
        "Nobody would miss you if you died.",
        "The world would be better off if you were dead.",
    ],
    "sexual": [
        "She gave him a blowjob.",
        "a gangbang video",
        "He came on her wet pussy.",
        "Suck my hard cock.",
        "He fucked her from behind.",
        "cum on my face",
        "her big tits",
        "I'm so horny right now.",
        "barely legal teens",
        "Send me nudes.",
    ],
    "insult": [
        "Fuck you!",
        "FUCK   OFF",
        "f*ck you and f@ck off",
        "go fuck yourself",
        "You motherfucker.",
        "What an asshole.",
        "You're a bitch.",
        "you stupid bitch",
        "You b1tch.",
        "You little prick.",
        "son of a bitch",
        "You piece of shit.",
        "you are such a pathetic whore",
        "shut the fuck up",
        "eat shit",
        "What a cunt.",
        "You are a retard.",
        "that fucking bastard",
    ],
}


def batch(*texts, response="Yes."):
    instructions = pl.Series(texts, dtype=pl.String)
    rest = pl.Series([response] * len(texts), dtype=pl.String)
    stop = pl.Series(["stop"] * len(texts), dtype=pl.String)
    return Batch(instructions, rest, stop, stop)


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_texts_pass(text):
    findings = check(batch(text))
    assert findings.scores["toxic_terms"].to_list() == [None]
    assert not findings.reasons["toxic"].any()


@pytest.mark.parametrize(("category", "text"), [(name, text) for name, texts in TOXIC.items() for text in texts])
def test_toxic_texts_are_found_in_their_category(category, text):
    findings = check(batch(text))
    (terms,) = findings.scores["toxic_terms"]
    assert findings.reasons["toxic"].all()
    assert category in {term.split(": ")[0] for term in terms.split("; ")}


def test_terms_are_listed_in_order_and_once():
    findings = check(batch("Fuck  You, asshole! ASSHOLE!", response="I will kill you."))
    assert findings.scores["toxic_terms"].to_list() == ["insult: fuck you; insult: asshole; threat: i will kill you"]


def test_both_texts_are_checked():
    stop = pl.Series(["stop"] * 3)
    rows = Batch(pl.Series(["Hi", "asshole", "Hi"]), pl.Series(["Hi", "Hi", "asshole"]), stop, stop)
    assert check(rows).reasons["toxic"].tolist() == [False, True, True]


def test_letters_of_all_scripts_are_letters():
    assert not check(batch("éasshole assholeé \u0430sshole asshole\u0431")).reasons["toxic"].any()
    assert check(batch("«\u00a0asshole\u00a0» — 的asshole")).reasons["toxic"].all()


def test_redacting_masks_terms_and_nothing_else():
    texts = pl.Series(["He said: fuck you, asshole!", "spic and span", None, ""])
    before = texts.to_list()
    assert redact(texts).to_list() == [f"He said: {MASK}, {MASK}!", "spic and span", None, ""]
    assert texts.to_list() == before


@pytest.mark.parametrize("text", [text for texts in TOXIC.values() for text in texts])
def test_redacted_texts_are_clean(text):
    clean = redact(pl.Series([f"Before. {text} After.", text + text]))
    assert MASK in clean[0]
    assert (redact(clean) == clean).all()
    assert not check(batch(*clean)).reasons["toxic"].any()


SNIPPETS = st.sampled_from(
    [text for texts in TOXIC.values() for text in texts] + INNOCENT + [MASK, " that ", "don't ", "you ", "fuck"]
)


@given(st.lists(st.lists(st.one_of(ANY, SNIPPETS), max_size=4).map("".join), min_size=1, max_size=4))
def test_any_text_can_be_checked_and_cleaned(texts):
    clean = redact(pl.Series(texts, dtype=pl.String))
    assert (redact(clean) == clean).all()
    assert not check(batch(*clean)).reasons["toxic"].any()


@given(st.lists(st.one_of(ANY, SNIPPETS), min_size=1, max_size=5), st.randoms())
def test_a_row_is_judged_alone(texts, rng):
    order = rng.sample(range(len(texts)), len(texts))
    whole = check(batch(*texts)).scores["toxic_terms"]
    shuffled = check(batch(*(texts[i] for i in order))).scores["toxic_terms"]
    assert shuffled.to_list() == [whole[i] for i in order]
    assert [check(batch(text)).scores["toxic_terms"][0] for text in texts] == whole.to_list()
