"""The form of texts: every reason on both sides of its limit, and good instructions that no reason may reject."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.rows import INSTRUCTION, RESPONSE
from tests.curation.texts import PAIRS, TEXT, batch
from tuner.curation.checks.form import Form
from tuner.curation.detectors.form import check, sanitize
from tuner.curation.reasons import REASONS

# Good instructions, and what each could be mistaken for.
INSTRUCTIONS = {
    "an answer": [
        "Here is a list of numbers: 3, 5. Sort them.",
        "Here are two sentences. Which is grammatically correct?",
        "Here's my code, it does not run:\n\nprint(x)\n\nFix it.",
        "Here is a paragraph about bees:\n\nBees dance.\n\nSummarize it in three words.",
        "Here's the thing: everyone at work ignores me.",
        "Here is the data I have: 1, 2, 4",
        "Step up transformers: how do they work?",
        "Step 3 of glycolysis produces what?",
        "Sure footing in the mountains: which shoes?",
        "Sure Thing is a film. Who directed it?",
        "Answer the following in one word: what is the capital of France?",
        "The answer is 42. What was the question?",
        "Solution: a homogeneous mixture. True or false?",
        "To find the area of a circle, which formula do I use?",
        "To be or not to be: who says so?",
        "Let's play a game. You are a pirate.",
        "Let's say I have a list, how do I sort it?",
        "First, second and third person: explain the difference.",
        "Firstly or first: which is right?",
        "Based on the given text, answer the question.",
        "Yes or no: is water wet?",
        "1. What is a noun? 2. What is a verb?",
        "1. **Photosynthesis**\n2. **Respiration**\n\nCompare the two.",
        "- **Name**: John\n- **Age**: 30\n\nWrite a biography.",
        "Improve this recipe:\n\nStep 1: Boil water.\nStep 2: Add pasta.",
        "Q: 2 + 2\nAnswer: 4\n\nQ: 3 + 3\nAnswer: 6\n\nQ: 4 + 4\nAnswer:",
        "What is the capital of France? A) Paris B) Rome\nAnswer:",
        "Therefore and thus: is there a difference?",
    ],
    "the assistant": [
        "Write an email that says I'd be happy to help.",
        "Translate 'How can I help you?' into French.",
        "As an AI engineer, what should I learn first?",
        "As an AI, how do you feel about art?",
        "How can I help my dog sleep?",
        "I would be happy to help my neighbour, but how?",
        "My manager wrote 'Let me know if you have any questions.' How do I reply?",
        "As an AI language model, what are your limits?",
        "How can I assist my father with his garden?",
        "Plan a trip to Japan for me. Feel free to ask questions.",
        "I am an AI researcher. Suggest three conferences.",
        "I am planning a party. Let me know if you need the number of guests.",
        "I need help with my homework",
        "Hello world program in C?",
        "Thank you note for a teacher, short please",
    ],
    "a fragment": [
        "iPhone or Android?",
        "def f(x): return x * x\nexplain this code",
        "how do i boil an egg",
        "write a poem about rain",
        "which is better, tea or coffee?",
        "of mice and men, who wrote it?",
        "and what about Java?",
        ".NET Core: how do I start?",
        ".gitignore for a Python project",
        "...args in JavaScript",
        ":hover does not work in CSS",
        "!important in CSS: when?",
        "?? operator in C#",
        "eBay fees explained.",
        "pH of lemon juice.",
        ":) what does this smiley mean",
        "(x + 1)(x - 1) = ?",
        "[1, 2, 3] reverse this list in Python",
        '"To be or not to be" - explain the quote.',
        "¿Qué hora es?",
        "What is 2 + 2? Answer:",
        "Translate to French: good morning\nFrench:",
        'Translate "good morning" into French:',
        "Translate 'good morning' into French:",
        "def add(a, b):\n    return a + b\n\nRewrite the function in Java:",
        "Finish this sentence: The sky is:",
        "Write a dialogue between a cat and a dog:",
        "English: Good morning\nSpanish:",
        "to sleep better what should i do",
        "a recipe for chocolate cake.",
        "Or rather, what is the point of it all?",
        "SELECT * FROM users;",
        "Continue the story:\n\nOnce there was a dragon. It lived in",
        "Where are you from",
        "What are the benefits of vitamin a",
        "What do you think of",
        "I am sad :(",
        "Write a C function header that ends in a semicolon;",
    ],
    "a leak": [
        "What does x |> f mean in F#, and f <| x?",
        "Explain HTML tags such as <s>old price</s>.",
        "Given the tables\nUser: id, name\nOrder: id, user\nwrite a query.",
        "user: root\npassword: secret\nIs this docker-compose file safe?",
        "Sort these words:\nadmin\nuser\nguest\nmodel",
        "Why does this fail?\n\nreturn self.model\n",
        "const a = !user\nconst b = this.user\nWhat is b?",
        "Human: a noun or an adjective?".replace("Human:", "human:"),
        "Human anatomy: name the bones of the hand.",
        "Summarize the conversation:\n\nUser: Hi\nAssistant: Hello\nUser: Bye",
        "Review my README:\n\n## Instructions:\n\n### Input:\n\n### Output:\n",
        "arr[INSTANCE] and [INSTALL]: what are these?",
        "The Assistant Manager: what does she do?",
    ],
}

ANSWERS = [
    "## Step 1: Understand the problem\nWe have 3 apples.",
    "### Step 2: Add them",
    "Step 2: Multiply both sides by 3.",
    "**Step 1**: Preheat the oven.",
    "Step 1 - Preheat the oven",
    "The answer is 42.",
    "The answer to this question is no.",
    "The final answer is: $\\boxed{4}$",
    "Answer: Paris",
    "**Answer:** Paris",
    "Here is a simple Python program that sorts a list.\n\n```python\nsorted(x)\n```",
    "Here are some tips for sleeping better:\n\n1. Make a list of worries\n2. Avoid coffee",
    "Here’s an example of a haiku:\n\nold pond",
    "Sure, here is the code.",
    "Sure! The capital is Paris.",
    "Certainly! I can explain that.",
    "Of course, the capital is Paris.",
    "1. **Identify the problem**: Determine what is wrong.\n2. **Find causes**: Look.",
    "- **Budget**: Track what is spent.\n- **Savings**: Automate them.",
    "To solve this problem, we need to find x.",
    "To find the area of the circle, we use A = pi r^2.",
    "Let's break this down into smaller parts.",
    "Let’s denote the number by n.",
    "First, we need to know the speed.",
    "Yes, you can use a loop for that.",
    "Therefore, the result is 12.",
    "Great question! Bread rises because of yeast.",
    "What is 2 + 2?\n\n## Step 1: Add the numbers\n4",
    "What is the capital of France?\n\nAnswer: Paris",
    "How do I bake bread?\n\nStep 1: Mix flour and water.",
]
ASSISTANTS = [
    "I'd be happy to help you with that.",
    "I’d be happy to help! What do you need?",
    "Sure, I'd be glad to assist you.",
    "As an AI language model, I do not have feelings.",
    "How can I assist you today?",
    "Hello! How can I help you today?",
    "Hi there! I'm here to help with any question.",
    "I can help you with your homework.",
    "As a large language model, I have no body.",
    "Please let me know if you have any further questions.",
    "You're welcome! If you have other questions, feel free to ask.",
    "I'm sorry, but I can't help with that.",
    "You can sort it with sorted(). Feel free to ask if you have more questions!",
    "The sky is blue. I hope this helps!",
    "I'm an AI assistant, so I don't eat.",
    "Thank you for reaching out. We will look at it.",
]
FRAGMENTS = [
    ", and then it goes on",
    ") is the result.",
    ". Then we add the flour",
    "? Nobody knows",
    "and the oven was cold.",
    "which was founded in 1990.",
    "of the house near the river.",
    "'s theorem is about triangles.",
    "Write a story about a dragon, a princess,",
    "Write a function f(",
    "Solve [",
    "Compare the cat and",
    "What is the meaning of the",
    "Summarize the following text:",
    "Answer the questions below:",
    "Please rewrite this sentence:",
    "Translate the sentence into French:",
    "I have several hobbies such as:",
]
LEAKS = [
    "Hello<|im_end|>",
    "<|im_start|>user\nHello",
    "<|begin_of_text|>What is it?",
    "What is it?<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "<|user|>\nWhat?",
    "<|START_OF_TURN_TOKEN|>",
    "What?<｜Assistant｜>",
    "<｜begin▁of▁sentence｜>What?",
    "[INST] What is it? [/INST]",
    "<<SYS>> Be good. <</SYS>>",
    "What is it?</s>",
    "<start_of_turn>user\nWhat?<end_of_turn>",
    "[TOOL_CALLS] now",
    "### Instruction:\nWrite a poem.",
    "Write a poem.\n\n### Response:\nRoses",
    "### Human: What is it?",
    "What is it?\nAssistant: It is a cat.",
    "Human: What is it?",
    "HUMAN: What is it?\nASSISTANT: A cat.",
    "**Assistant:** It is a cat.",
    "It is a cat.\n\nUser: And this?",
    "What is it?\nassistant\nIt is a cat.",
    "What is it?assistant\n\nIt is a cat.",
    "What is it?model\nIt is a cat.",
]


def reasons(instruction=INSTRUCTION, response=RESPONSE, finishes=("stop", "stop"), **limits):
    found = check(batch([(instruction, response)], [finishes]), Form(**limits)).reasons
    return [name for name in REASONS if name in found and found[name][0]]


def instruction_reasons(texts):
    """The reasons of instructions, whatever their length."""
    found = check(batch([(text, RESPONSE) for text in texts]), Form(instruction_words=(0, 999))).reasons
    return {text: [name for name, flags in found.items() if flags[place]] for place, text in enumerate(texts)}


def test_a_good_row_has_no_reason():
    assert reasons() == []


@pytest.mark.parametrize(
    ("fewest", "most", "expected"),
    [(7, 7, []), (8, 9, ["short_instruction"]), (1, 6, ["long_instruction"])],
)
def test_instruction_words_are_bounded_inclusively(fewest, most, expected):
    assert reasons(instruction_words=(fewest, most)) == expected


@pytest.mark.parametrize(
    ("fewest", "most", "expected"), [(31, 31, []), (32, 40, ["short_response"]), (1, 30, ["long_response"])]
)
def test_response_words_are_bounded_inclusively(fewest, most, expected):
    assert len(RESPONSE.split()) == 31
    assert reasons(response_words=(fewest, most)) == expected


def test_words_are_counted():
    scores = check(batch([("One two", "three four  five"), ("", "a")]), Form()).scores
    assert scores["instruction_words"].to_list() == [2, 0]
    assert scores["response_words"].to_list() == [3, 1]
    assert {str(column.dtype) for column in scores.values()} == {"Int32"}


@pytest.mark.parametrize(
    ("finishes", "expected"),
    [
        (("length", "stop"), ["cut_instruction"]),
        (("stop", "length"), ["cut_response"]),
        (("length", "length"), ["cut_instruction", "cut_response"]),
        ((None, None), []),
    ],
)
def test_a_text_that_ended_at_the_token_limit_is_cut(finishes, expected):
    assert reasons(finishes=finishes) == expected


def test_an_empty_text_is_only_empty_and_cut():
    assert reasons(" \n", "", ("stop", "skipped")) == ["empty_instruction", "empty_response"]
    assert reasons(response="\t", finishes=("stop", "length")) == ["empty_response", "cut_response"]
    assert reasons("Hello", "\u3000") == ["empty_response"]


def test_less_than_four_fifths_ascii():
    limits = {"response_words": (1, 9), "instruction_words": (1, 9)}
    assert reasons("x" * 39, "y" * 40 + "中" * 20, **limits) == []
    assert reasons("x" * 39, "y" * 39 + "中" * 21, **limits) == ["not_ascii"]


@pytest.mark.parametrize("kind", INSTRUCTIONS)
def test_good_instructions_have_no_reason(kind):
    assert {text: names for text, names in instruction_reasons(INSTRUCTIONS[kind]).items() if names} == {}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (ANSWERS, "instruction_is_answer"),
        (ASSISTANTS, "instruction_as_assistant"),
        (FRAGMENTS, "instruction_is_fragment"),
        (LEAKS, "leaked_template"),
    ],
)
def test_texts_that_are_no_instruction_have_the_reason(texts, reason):
    assert [text for text, names in instruction_reasons(texts).items() if reason not in names] == []


@pytest.mark.parametrize(
    "leak", ["<|im_end|>", " [/INST]", "</s>", "\nHuman: And now?", "\n\nUser: And now?", "\n\n### Response:\nIt"]
)
def test_a_response_may_not_leak_either(leak):
    assert reasons(response=RESPONSE + leak) == ["leaked_template"]


def test_an_instruction_about_a_dialogue_may_get_turns():
    talk = f"User: Why does bread rise?\n\nAssistant: {RESPONSE}"
    assert reasons("Write a dialogue about how bread rises.", talk) == []
    assert reasons(response=talk) == ["leaked_template"]


@pytest.mark.parametrize("response", ["Sure!", "thank you .", "***", "!?", "…", "“”"])
def test_a_bare_greeting_or_mark_is_no_response(response):
    assert "response_pattern" in reasons(response=response)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Sure, the oven heats the dough until the loaf has risen.", []),
        ("Speaking as an AI model, the oven heats the dough until it rises.", ["response_pattern"]),
        ("It was an aid to the baker and served him well as an aim.", []),
        ("She works as an AI engineer and bakes bread on every Sunday.", []),
        ("I'm sorry, but I will not bake bread for anyone on a Sunday.", ["response_pattern"]),
        ("I’m sorry, but I will not bake bread for anyone on a Sunday.", ["response_pattern"]),
        ("I'm sorry, but it rains, so the bread must be baked at home.", []),
        ("That is a thing that I cannot assist anyone with, not even friends.", ["refusal"]),
        ("Here I’m unable to look at the oven, so please look at it yourself.", ["refusal"]),
        ("Sadly I don't have access to the oven, so look at it yourself.", ["refusal"]),
        ("Lori can't help him with the oven because she is away on Sunday.", []),
        ("I can't fulfill that request, since bread of this kind is not safe.", ["refusal"]),
        ("I must respectfully decline to say anything about this kind of bread.", ["refusal"]),
        ("I cannot recommend this oven enough, it bakes bread like no other one.", []),
    ],
)
def test_apologies_and_refusals(response, expected):
    assert reasons(response=response) == expected


def test_words_of_a_refusal_further_on_are_part_of_a_story():
    refused = "She said: I cannot fulfill that."
    assert reasons(response=f"{refused} {RESPONSE}") == ["refusal"]
    assert reasons(response=f"{RESPONSE} {RESPONSE} {refused}") == []


def test_the_instruction_is_matched_against_the_patterns_too():
    assert reasons("I'm sorry, but I have a question.") == ["instruction_pattern"]
    assert reasons("Hello") == ["short_instruction", "instruction_pattern"]


@pytest.mark.parametrize(
    "response",
    [
        "I am an AI and do not eat bread, but many people say that it is good.",
        "I'm just an AI language model, so I cannot taste the bread that you bake.",
        "I’m a large language model trained by someone, and bread is not my food.",
        "My training data ends before that bread was baked, so look at it yourself.",
        "As a language model, I do not bake bread, but the oven will do it for you.",
    ],
)
def test_an_ai_names_itself_only_if_asked(response):
    assert reasons(response=response) == ["unasked_ai"]
    for instruction in ("Are you able to eat bread?", "Do language models eat bread?", "You are a baker. Bake bread."):
        assert reasons(instruction, response) == []


def test_a_person_who_works_on_ai_is_no_ai():
    for job in ("I am an AI engineer", "I'm an AI researcher", "It serves as a language model"):
        assert reasons(response=f"{job} that bakes bread on Sundays, for friends and for nobody else.") == []


@pytest.mark.parametrize(
    ("instruction", "response", "again"),
    [
        ("Explain how bread rises in the oven.", "Explain how bread rises in the oven.", True),
        ("Explain how bread rises in the oven.", "explain how  bread rises in the oven: it is the heat.", True),
        ("Explain how bread rises.", f"Explain how bread rises. {RESPONSE}", False),  # four words
        ("Explain how bread rises in a pan", f"Explain how bread rises in a pancake. {RESPONSE}", False),
        ("Explain how bread rises in the oven.", f"Bread rises in the oven. {RESPONSE}", False),
        ("How does bread rise in the oven and why?", "You ask: How does bread rise in the oven and why? Heat.", True),
        ("How does bread rise in the oven and why?", f"How does bread rise in the oven and why? No. {RESPONSE}", True),
        (
            "How does bread rise in the oven and why?",
            f"You ask, how does bread rise in the oven and why? {RESPONSE}",
            False,
        ),
        ("Correct the sentence: She go to school every day.", "She goes to school every day.", False),
        (f"Fix the typos in this text: {RESPONSE} Thier oven.", f"{RESPONSE} Their oven.", False),
        (f"{RESPONSE} Thier oven. Fix the typos above.", f"{RESPONSE} Their oven.", False),
    ],
)
def test_a_response_may_not_repeat_the_instruction(instruction, response, again):
    found = reasons(instruction, response, response_words=(1, 99))
    assert ("response_repeats_instruction" in found) is again


@pytest.mark.parametrize("end", [",", ";", ":", " (", " [", "\n- ", "\n*", "\n •\u3000", "\n```python\nprint()"])
def test_an_open_ending_is_unfinished(end):
    assert reasons(response=RESPONSE + end) == ["unfinished_response"]


@pytest.mark.parametrize(
    "end", ["", " yes", " **bold**", " (so)", "\n```\nprint()\n```", " :(", "\n- last", " •", " -"]
)
def test_other_endings_are_not(end):
    assert reasons(response=RESPONSE + end) == []


FINISH = st.sampled_from(["stop", "length", "skipped", None])


@given(
    PAIRS.flatmap(
        lambda pairs: st.tuples(
            st.just(pairs), st.lists(st.tuples(FINISH, FINISH), min_size=len(pairs), max_size=len(pairs))
        )
    )
)
def test_every_row_has_the_reasons_of_the_first_run(drawn):
    pairs, finishes = drawn
    found = check(batch(pairs, finishes), Form(instruction_words=(2, 9), response_words=(3, 12))).reasons
    for place, ((instruction, response), ends) in enumerate(zip(pairs, finishes, strict=True)):
        asked, answered = len(reference.words(instruction)), len(reference.words(response))
        expected = {
            "empty_instruction": not asked,
            "cut_instruction": ends[0] == "length",
            "empty_response": not answered,
            "cut_response": ends[1] == "length",
        }
        of_whole = {
            "short_instruction": asked < 2,
            "long_instruction": asked > 9,
            "short_response": answered < 3,
            "long_response": answered > 12,
            "instruction_pattern": reference.has_pattern(instruction, reference.I_AS_AN_AI),
            "response_pattern": reference.has_pattern(response),
            "unfinished_response": reference.is_unfinished(response),
            "not_ascii": reference.ascii_ratio(instruction, response) < 0.8,
        }
        expected |= {name: bool(asked and answered and fires) for name, fires in of_whole.items()}
        assert {name: found[name][place] for name in expected} == expected
        assert found["refusal"][place] >= (bool(asked and answered) and reference.refuses(response))
        if not (asked and answered):
            assert not any(flags[place] for name, flags in found.items() if name not in expected)


@given(PAIRS, PAIRS)
def test_other_rows_do_not_matter(some, others):
    alone, among = (check(batch(pairs), Form()).reasons for pairs in (some, [*others, *some]))
    assert set(alone) <= set(REASONS)
    for name, flags in alone.items():
        assert np.array_equal(flags, among[name][len(others) :])


@given(st.lists(TEXT, max_size=4), st.sampled_from([text for texts in INSTRUCTIONS.values() for text in texts]))
def test_an_empty_shard_and_one_of_megabytes(texts, instruction):
    long = " ".join(texts) * 1000
    found = check(batch([(instruction, long), (long, long)]), Form()).reasons
    assert all(flags.shape == (2,) for flags in found.values())
    assert all(flags.shape == (0,) for flags in check(batch([]), Form()).reasons.values())


SANITIZED = [
    ("What is 2 + 2?\n\n## Step 1: Add\n4", "What is 2 + 2?"),
    ("What is 2 + 2?\n### Step 1\n4", "What is 2 + 2?"),
    ("How is bread baked?\n\nStep 1: Mix.", "How is bread baked?"),
    ("How is bread baked?\n \n**Step 1:** Mix.", "How is bread baked?"),
    ("Name a city.\nAnswer: Rome", "Name a city."),
    ("Name a city.\n\n**Solution:**\nRome", "Name a city."),
    ("Name a city.\n\n## Correct Answer: Rome", "Name a city."),
    ("Name a city.<|im_end|>\n<|im_start|>assistant", "Name a city."),
    ("Name a city.</s> Rome", "Name a city."),
    ("Name a city. [/INST] Rome", "Name a city."),
    ("Name a city.\n\n### Response:\nRome", "Name a city."),
    ("Name a city.\nAssistant: Rome\nAnswer: Rome", "Name a city."),
    ("Name a city.\n\nUser: Rome", "Name a city."),
    ("Name a city?assistant\n\nRome", "Name a city?"),
    ("Name a city.\nassistant\nRome", "Name a city."),
    ("Café 中文?\n\nStep 1: 中", "Café 中文?"),
    # What is left ends in a leak of its own.
    ("Name a city.\nassistant <|im_end|>", "Name a city."),
]
WHOLE = [
    *(text for kind, texts in INSTRUCTIONS.items() if kind != "an answer" for text in texts if "Answer:" not in text),
    "## Step 1: Add\n4",
    "<|im_start|>user\nName a city.",
    "Answer: Rome",
    "",
    "  \n",
]


@pytest.mark.parametrize(("text", "expected"), SANITIZED)
def test_an_instruction_is_cut_where_something_leaked_into_it(text, expected):
    cleaned, cut = sanitize(pl.Series("instruction", [text]))
    assert cleaned.to_list() == [expected]
    assert expected + cut[0] == text
    assert not {"leaked_template", "instruction_is_answer"} & set(instruction_reasons([expected])[expected])
    assert {"leaked_template", "instruction_is_answer"} & set(instruction_reasons([text])[text])


def test_an_instruction_into_which_nothing_leaked_stays():
    cleaned, cut = sanitize(pl.Series(WHOLE))
    assert cleaned.to_list() == WHOLE
    assert cut.to_list() == [None] * len(WHOLE)


def test_an_empty_column_is_sanitized():
    cleaned, cut = sanitize(pl.Series([], dtype=pl.String))
    assert (cleaned.to_list(), cut.to_list()) == ([], [])


LEAKING = st.lists(
    st.one_of(
        st.sampled_from(
            ["<|im_end|>", "</s>", "<s>", "[INST]", "assistant", "Human:", "User:", "Answer:", "### Response:",
             "## Step 1", "Step 1:", "**", "#", "?", ".", ":", "\n", "\n\n", " ", "a", "é", "conversation"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=3),
    )
).map("".join)  # fmt: skip


@given(st.lists(LEAKING, max_size=6))
def test_sanitizing_again_changes_nothing_and_loses_nothing(texts):
    cleaned, cut = sanitize(pl.Series(texts, dtype=pl.String))
    again, cut_again = sanitize(cleaned)
    assert again.to_list() == cleaned.to_list()
    assert cut_again.to_list() == [None] * len(texts)
    assert [one + (other or "") for one, other in zip(cleaned, cut, strict=True)] == texts
    assert all(one for one, other in zip(cleaned, cut, strict=True) if other is not None)
    alone = [sanitize(pl.Series([text]))[0][0] for text in texts]
    assert alone == cleaned.to_list()
