r"""What `toxicity` looks for: slurs, threats, incitement to self-harm, explicit sex, insults. Data, no code.

A term is a regular expression in lower case that begins and ends with a letter. It matches whole words, regardless of
case; a blank stands for any white space, an apostrophe for any variant of it or none. A word that has innocent senses
(`cock`, `chink`, `coon`, `shoot`) is listed only within a phrase that leaves no other sense; innocent phrases that a
term would still match are in INNOCENT, which is tried first.

The categories follow published lists (LDNOOBW, CC BY 4.0; the classes of Jigsaw's toxicity data); the terms
are chosen here, since lists made to find everything also find medicine, news, education and surnames. English only.
"""

_VILE = (
    "(?:stupid|dumb|dumbass|fucking|fuckin|f[u*@#]cking|damn|goddamn|bloody|little|fat|ugly|crazy|dirty|filthy|lazy"
    "|lying|worthless|pathetic|disgusting|useless|miserable|nasty|whiny|ignorant|greedy|sick|silly|cheap|skinny|old)"
)
_ADDRESSED = rf"(?:you(?:'re| are| were)(?: (?:all|just|really|truly|nothing but|such|a|an|{_VILE}))*|you(?: {_VILE})*)"
# With a capital letter these are names (Dick Van Dyke, Coon Rapids).
_NAMES = "(?-i:dykes?|coons?|chinks?|dicks?|DYKES?|COONS?|CHINKS?|DICKS?)"
_NOUN = (
    "(?:b[i1!*]tch(?:es)?|bastards?|pricks?|scumbags?|wh[o0*]res?|sl[u*]ts?|skanks?|retards?|retarded|fags?"
    f"|puss(?:y|ies)|trann(?:y|ies)|homos?|{_NAMES})"
)
_SLURRED = f"(?:bitch(?:es)?|whores?|sluts?|skanks?|retards?|fags?|trann(?:y|ies)|homos?|{_NAMES})"
_GROUP = (
    "(?:jews?|muslims?|arabs?|blacks?|black people|whites?|white people|asians?|mexicans?|immigrants?|refugees|gays?"
    "|gay people|lesbians?|homosexuals|trans people|transgenders|christians?|hindus?|women|gypsies|roma|africans)"
)
_I = "(?:i|we)(?:'ll|'m going to|'m gonna|'re going to|'re gonna| will| am going to| am gonna| are going to| wanna)"
_HARD = "(?: (?:fucking|literally|personally|just|so|really))?"
_KIN = "your (?:whole )?(?:family|mother|mom|mum|father|dad|parents|kids?|children|wife|husband|daughter|son|sister)"
_VERMIN = "(?:subhumans?|vermin|parasites|filth|scum|cockroaches|rats|apes|monkeys)"
_THING = "(?:pieces? of (?:shit|crap|garbage|trash)|wastes? of (?:oxygen|space|skin)|sacks? of shit|shits?|subhumans?)"
_YOURSELF = "(?:yourself|yourselves|urself|ur self)"
_WHOM = "(?:me|you|her|him|them)"

TERMS: dict[str, tuple[str, ...]] = {
    "slur": (
        r"(?:sand ?)?n[i1!*]gg[e3*]rs?",
        r"n[i1!]gg[a@](?:s|z|h)?",
        r"niglets?",
        # In capitals it is an abbreviation or a name.
        r"(?-i:kikes?)",
        r"(?-i:spics?)",
        r"wetbacks?",
        r"(?:rag|towel|diaper)[- ]?heads?",
        r"zipperheads?",
        r"(?-i:gooks?|GOOKS?)",
        r"pakis",
        r"(?-i:paki)",
        r"jigg?aboos?",
        r"porch monkeys?",
        r"jungle bunn(?:y|ies)",
        r"camel jockeys?",
        r"ching[- ]chong",
        r"mudslimes?",
        r"shitskins?",
        r"goat ?fuckers?",
        r"curry ?munchers?",
        r"f[a@]gg[o0]ts",
        r"(?-i:f[a@]gg[o0]t|F[A@]GG[O0]T)",
        r"shemales?",
        r"race traitors?",
        rf"(?:dirty|filthy|fucking|stupid|damn) (?:{_SLURRED}|jews?|muslims?|arabs?|blacks|mexicans?|gypsies)",
        rf"(?:these|those|all the|bunch of) (?:{_VILE} )*(?:fags|trannies|retards)",
        r"jew(?:ish)? (?:rats?|pigs?|scum|vermin|parasites?)",
        rf"{_GROUP} (?:are|is) (?:all |just |nothing but )*{_VERMIN}",
    ),
    "threat": (
        rf"{_I}{_HARD} (?:kill|murder|slaughter|rape|strangle|butcher|behead|gut) (?:you|{_KIN})",
        rf"{_I}{_HARD} rape (?:her|him|them)",
        rf"{_I}{_HARD} (?:stab|shoot) (?:you (?:dead|to death|in the (?:head|face|heart|throat|chest|back))|{_KIN})",
        rf"{_I}{_HARD} (?:burn|skin|bury) you alive",
        rf"{_I}{_HARD} beat (?:you (?:to death|to a pulp|bloody|senseless)|the (?:shit|crap|hell) out of you)",
        rf"{_I}{_HARD} (?:break|snap|slit|cut) your (?:fucking )?(?:neck|throat|legs|arms|skull|kneecaps|spine)",
        rf"{_I}{_HARD} (?:smash|bash|cave) your (?:fucking )?(?:face|head|skull|teeth) in",
        rf"{_I}{_HARD} make you (?:bleed|suffer|beg for death)",
        r"slit your (?:fucking )?throat",
        r"blow your (?:fucking )?(?:brains|head) (?:out|off)",
        r"put a bullet (?:in|into|through) (?:you|your (?:head|skull|brain))",
        r"(?:hope|wish|pray)(?: that)? (?:you|your family|your kids|your children|they|she|he)(?: all)?"
        r" (?:fucking |just )?(?:dies?|gets? (?:raped|cancer|shot|killed|murdered|stabbed)|(?:burns?|rots?) in hell)",
        r"you(?: all)? (?:fucking )?deserve to (?:die|be (?:raped|killed|shot|hanged|lynched|tortured|beaten|stabbed))",
        r"deserve[sd]? to (?:be|get) raped",
        r"go (?:and )?(?:fucking )?die in a fire",
        r"(?:let's|we should|we must|we need to|someone should|somebody should|time to)(?: all| just)?"
        r" (?:kill|gas|hang|lynch|exterminate|execute|shoot|slaughter|bomb) (?:all |every |the |these |those |them )*"
        rf"{_GROUP}",
        rf"(?:gas|lynch|exterminate) (?:the |all |all the )(?:{_GROUP}|kikes|niggers)",
        rf"death to (?:all |the )*{_GROUP}",
        rf"{_GROUP} (?:should|must|need to|deserve to|ought to)(?: all| just)?"
        r" (?:be (?:killed|shot|gassed|hanged|lynched|exterminated|executed|slaughtered|wiped out)|die)",
    ),
    "self_harm": (
        rf"(?:go|just|please|should|better|gonna|hurry up|why don't you)(?: and| just| fucking| go| please)* "
        rf"(?:kill|hang|shoot|drown|off) {_YOURSELF}",
        rf"do (?:us|me|the world|everyone|everybody)(?: all)? a favou?r and (?:kill|hang|shoot|drown|off) {_YOURSELF}",
        rf"kill {_YOURSELF} (?:already|now|please|loser|you|u|b[i*]tch|fag|faggot)",
        r"(?:go|just|should)(?: and| just| go)* (?:end|take) your (?:own |worthless |miserable |pathetic |sad )*life",
        r"(?:go|just|please) kys",
        r"kys (?:now|loser|b[i*]tch|you|u|pls|please|already|fag|faggot)",
        r"(?:go|just|should)(?: and| just| go)* (?:drink (?:some )?bleach|slit your wrists|jump off a bridge)",
        r"(?:world|everyone|everybody|we|they)(?:'d| would)(?: all)? be better off if you (?:were dead|died)",
        r"(?:nobody|no one)(?: would| will|'d|'ll) (?:even )?(?:miss|care|notice|mourn)(?: you)?"
        r" (?:if|when) you(?:'re| are| were)? (?:die|died|dead|gone)",
    ),
    "sexual": (
        r"blow[- ]?jobs?",
        r"hand[- ]?jobs?",
        r"rim[- ]?jobs?",
        r"gang[- ]?bang(?:s|ed|ing|er)?",
        r"(?-i:deep[- ]?throat(?:s|ed|ing))",
        r"cum[- ]?shots?",
        r"(?-i:creampies?)",
        r"(?-i:milfs?|MILFs)",
        r"(?:titt?y|tit|ass|face|skull|butt)[- ]?fuck(?:s|ed|ing|er|ers)?",
        r"cock[- ]?suck(?:er|ers|ing)",
        r"cunniling\w+ (?:porn|video)s?",
        rf"(?-i:cum(?:s|med|ming)?) (?:in|on|inside|all over|into|down) (?:{_WHOM}|my|your|her|his)",
        r"(?:wet|tight|juicy|dripping|shaved|hairy|her|your|my) (?:little |wet |tight )?puss(?:y|ies)",
        r"(?:lick(?:s|ed|ing)?|eat|eats|ate|eating|fuck(?:s|ed|ing)?|pound(?:s|ed|ing)?|finger(?:s|ed|ing)?)"
        r" (?:my|her|your|that) (?:\w+ )?(?:puss(?:y|ies)|cunt|ass|asshole|clit)",
        r"(?:big|huge|hard|thick|throbbing|erect|massive|monster) (?:fat |hard |black |white )?(?-i:cock|dick)s?",
        r"suck(?:s|ed|ing)? (?:on )?(?:my|his|your|a|that) (?:\w+ )?(?-i:cock|dick|balls|penis)",
        r"(?:big|huge|nice|perky|bouncing|bare|saggy|firm|her|your) (?:tits|titties)",
        rf"fuck(?:s|ed|ing)? {_WHOM} (?:hard|harder|deep|deeper|senseless|from behind|in the (?:ass|mouth|pussy))",
        rf"jerk(?:s|ed|ing)? (?:{_WHOM}|himself|myself|it) off",
        r"send (?:me )?(?:your )?nudes",
        r"(?:so|i'm|i am|getting|feeling|make me|makes me|made me) (?:so |really |very )?horny",
        r"horny (?:sluts?|bitch(?:es)?|milfs?|teens?|girls?|moms?|housewives)",
        r"barely legal (?:teens?|girls?|sluts?)",
        r"(?:underage|preteen|under-age|pre-teen) (?:porn|nudes?|sluts?|sex slaves?)",
        r"nude (?:preteens?|children|minors|underage)",
        r"(?:incest|rape|bestiality|tranny) porn",
        r"(?:nasty|dirty|little|cheap|anal|cum|teen|horny) sluts?",
    ),
    "insult": (
        r"f[u*@#v]ck (?:you|u|off|yourself|urself|ya|y'all|yall|her|him|them|your \w+)",
        r"go f[u*@#v]ck (?:yourself|yourselves|urself)",
        r"get fucked",
        r"shut the f[u*@#v]ck up",
        r"stfu",
        r"mother[- ]?f[u*@#v]ck(?:er|ers|ing|in|a|as)",
        r"f[u*@#v]ckers?",
        r"(?:dumb|brain|rat)[- ]?fucks?",
        r"fuck(?:face|wit|tard|head|nut|wad|stick)s?",
        r"libtards?",
        r"(?:shit|dip ?shit)(?:s|head|heads|stain|stains|bag|bags|face|faces)",
        r"dipshit",
        r"(?-i:c[u*]nts?|C[U*]NTS?)",
        r"(?-i:twats?|TWATS?)",
        r"(?-i:wankers?|WANKERS?)",
        r"dick[- ]?(?:head|heads|wad|wads|face|faces)",
        r"douche[- ]?(?:bag|canoe)s?",
        r"dumb[- ]?ass(?:es)?",
        r"a(?:ss|rse|\$\$)[- ]?(?:hole|hat|wipe|clown|munch|muncher)s?",
        r"sons? of (?:a )?bitch(?:es)?",
        r"bitch[- ]ass",
        r"(?:eat shit|eat a dick|eat a bag of dicks)",
        r"(?:kiss my (?:\w+ )?ass|suck my (?:dick|cock|balls)|lick my (?:balls|ass))",
        rf"{_ADDRESSED} {_NOUN}",
        rf"(?:stupid|dumb|fucking|fuckin|fat|ugly|lying|worthless) (?:{_VILE} )*(?:{_SLURRED}|bastards?|pricks?)",
        rf"{_ADDRESSED} {_THING}",
    ),
}
"""Terms by category."""

INNOCENT: tuple[str, ...] = (
    r"spics?(?: and |-and-| & | ?'?n'? ?)span",
    r"operation wetback",
    r"(?:\w+ )?homo (?:sapiens|erectus|habilis|ludens|faber|oeconomicus|neanderthal\w*)",
    r"(?:big|huge) cocks? crow(?:s|ed|ing)?",
    r"(?:bundles?|bunch|loads?|armfuls?) of faggots",
    r"faggots? (?:of|and peas|with peas|in (?:onion )?gravy|with (?:onion )?gravy)",
    r"pork faggots?",
    r"(?:\w+ )?pussy[- ](?:cats?|willows?|riot|foot|footing)",
    r"(?:what|who|how|why|where|when) the fuck (?:you|u|her|him|them)",
    r"wastes? of space (?:and|in|on)",
    r"just shoot yourself in the foot",
    r"(?:never|not|not to|don't)(?: ever| just)? (?:kill|hang|shoot|drown|off) (?:yourself|yourselves)",
    # Reports of what others said, planned or did.
    r"(?:to|would|could|not|they|who|nazis?|hitler|germans?|regime) (?:systematically )?(?:gas|lynch|exterminate)",
    rf"that (?:all |the )?{_GROUP} (?:are|is|should|must|need to|deserve to|ought to)",
    r"that (?:nobody|no one)(?: would| will|'d|'ll) (?:even )?(?:miss|care|notice|mourn)",
    r"that (?:the )?(?:world|everyone|everybody|we|they)(?:'d| would)(?: all)? be better off",
)
"""Innocent phrases that contain a term."""
