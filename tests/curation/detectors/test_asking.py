"""Whether an instruction is one: what is none is found, and good ones are left alone."""

import pytest

from tests.curation.detectors.forms import INSTRUCTIONS, instruction_reasons

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
    "So the answer is 10 + 6 = 16.",
    "Hence the total cost of the rolls is 12 dollars.",
    "2. ** The rolls** take 4 hours and 20 minutes.",
    "amount that Mia pays for the rolls is 3 * $8 = $24.",
    "Number of rolls on the tray: (12 * 2) / 3 = 8, so 8 rolls are left.",
    "Can you help me with a note to my baker?\n\nSure, I'd be happy to help.",
    "Great question! Bread rises because of yeast.",
    "What is 2 + 2?\n\n## Step 1: Add the numbers\n4",
    "What is the capital of France?\n\nAnswer: Paris",
    "How do I bake bread?\n\nStep 1: Mix flour and water.",
    # A solution from its middle on.
    "so that 4 loaves are left.\n\n## Step 2: Add the rolls\n4 + 6 = 10",
    "**Step 2:** Add the rolls\n4 + 6 = 10\n\n**Step 3:** Check the sum",
    # Words of judging that judge nothing, and a question that the solution asks itself.
    "A teacher bakes 3 loaves before her work begins. How many in a week?\n\n## Step 1: Multiply\n3 * 7 = 21",
    "Grade 4 has 28 pupils who eat a roll each.\n\n## Step 1: Count the rolls\nHow many rolls are there? 28.",
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


@pytest.mark.parametrize("kind", INSTRUCTIONS)
def test_good_instructions_have_no_reason(kind):
    assert {text: names for text, names in instruction_reasons(INSTRUCTIONS[kind]).items() if names} == {}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (ANSWERS, "instruction_is_answer"),
        (ASSISTANTS, "instruction_as_assistant"),
        (FRAGMENTS, "instruction_is_fragment"),
    ],
)
def test_texts_that_are_no_instruction_have_the_reason(texts, reason):
    assert [text for text, names in instruction_reasons(texts).items() if reason not in names] == []
