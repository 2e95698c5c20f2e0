"""The reasons of form of a row or of instructions, and good instructions that no reason may reject."""

from tests.curation.rows import INSTRUCTION, RESPONSE
from tests.curation.texts import batch
from tuner.curation.checks.form import Form
from tuner.curation.detectors.form import check
from tuner.curation.reasons import REASONS

# Good instructions, and what each could be mistaken for.
INSTRUCTIONS = {
    "an answer": [
        "The shop sells rolls at 3 * $8 = $24 a tray. How much are two trays?",
        "Simplify the fraction, which is 12 * 2 / 8 = 3 and so on, with all of the steps.",
        "If 2 + 3 = 10 and 7 + 2 = 63, then the sum of 8 and 4 is the same as",
        "I was told that the sum of 12 + 9 = 20 is on the bill of the bakery.",
        "It is said that the baker has 3 * 8 = 25 rolls on the tray. True or false",
        "So the answer is 16. How do I get there?",
        "Are these rolls fresh?\nSure of it or not, write one line.",
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
        "Summarize this guide in a sentence.\n\n## Step 1: Mix\nFlour and water.\n\n## Step 2: Bake\nAt 200 degrees.",
        "Check my solution.\n\n2 + 3 loaves\n\n## Step 1: Add\n2 + 3 = 6",
        "## Step 1: Add\n2 + 3 = 6\n\n## Step 2: Double\n12\n\nIs this right?",
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


def reasons(instruction=INSTRUCTION, response=RESPONSE, finishes=("stop", "stop"), **limits):
    found = check(batch([(instruction, response)], [finishes]), Form(**limits)).reasons
    return [name for name in REASONS if name in found and found[name][0]]


def instruction_reasons(texts):
    """The reasons of instructions, whatever their length."""
    found = check(batch([(text, RESPONSE) for text in texts]), Form(instruction_words=(0, 999))).reasons
    return {text: [name for name, flags in found.items() if flags[place]] for place, text in enumerate(texts)}
