"""The words of the sample corpus that no taste owns: for titles, tags and small talk."""


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a text with bars between them."""
    return tuple(text.split(" | "))


# --- titles: each has an invented name in it, so that none is a real movie's ------------------

NAME_STARTS = phrases(
    "Brin | Quel | Vas | Tor | Mor | Fen | Gal | Har | Ist | Jun | Kel | Lun | Nor | Ost | Pel | "
    "Ras | Sel | Thal | Ul | Wend | Él | Ås | Öl | Çav | Ze | Dru"
)
NAME_MIDDLES = phrases("de | li | ko | ra | no | be | mi | tha | vo | lé | sü | da")
NAME_ENDS = phrases(
    "moor | vane | sk | wick | rin | dra | quist | ló | ntar | bridge | ndel | zhar"
)
PLAIN_NOUNS = phrases(
    "Lantern | Orchard | Harbour | Letter | Winter | River | Garden | Window | Bridge | Island | "
    "Mirror | Journey | Summer | Piano | Stranger | Promise"
)
PLAIN_ADJECTIVES = phrases("Silver | Last | Quiet | Seventh | Broken | Golden | Distant | Hidden")
TITLE_FORMS = phrases(
    "The {name} {noun} | The {noun} of {name} | {name}'s {noun} | {noun} in {name} | "
    "A {noun} for {name} | A {adjective} {noun} in {name} | An Evening in {name} | {name} | "
    "{name}: The {adjective} {noun} | {name} & the {adjective} {noun} | {name} and {other} | "
    "{noun}, {other_noun} & {name} | What Happened to {name}? | Who Is {name}? | "
    "The {adjective} {noun} of {name}"
)
SEQUELS = phrases("2 | II | Part Two")
# each with its translation
FOREIGN_FORMS = (
    ("La Lanterne de {name}", "The Lantern of {name}"),
    ("Le Jardin de {name}", "The Garden of {name}"),
    ("El Niño de {name}", "The Boy from {name}"),
    ("Los Años de {name}", "The Years of {name}"),
    ("Das Mädchen aus {name}", "The Girl from {name}"),
    ("Die Brücke von {name}", "The Bridge of {name}"),
)
ARTICLES = phrases("The | A | An | La | Le | El | Los | Das | Die")

# --- tags -------------------------------------------------------------------------------------

PLAIN_TAGS = phrases(
    "great soundtrack | based on a book | watched on a plane | slow, but worth it | "
    'called "a must" by friends | good acting | boring | twist ending | seen twice | café scenes | '
    "1001 nights out | own it"
)
SHORT_TAGS = phrases("tv | 3d | bw | uk")
FIRST_NAMES = phrases("Orla | Tamsin | Bertil | Ximena | Casimir | Noor | Ludo | Wanda")

# --- what both say ----------------------------------------------------------------------------

GREETINGS = phrases("Hi! | Hello | Hey there | Good morning! | Hi, how are you? | hello :)")

# --- what the seeker says; {kind}: of movies, {0}, {1}, {2}: movies -----------------------------

REQUESTS = phrases(
    "I am looking for {kind}. | I'm in the mood for {kind} | Can you suggest {kind}? | "
    "I would like to see {kind} tonight. | Do you know {kind}? | I mostly watch {kind} | "
    "{kind} would be great"
)
VAGUE_REQUESTS = phrases(
    "I am open to anything really. | Surprise me, I like most movies. | "
    "I have no idea what I want to see"
)
# by the number of movies
LIKED = (
    (),
    phrases(
        "I really liked {0}. | My favourite is {0} | {0} | I just saw {0} , loved it | "
        "Something like {0} would be nice. | I have seen {0} three times, {0} never gets old | "
        "({0} was good)"
    ),
    phrases(
        "I loved {0} and {1}. | {0} , {1} , that kind of thing | Like {0} or {1}? | "
        "I enjoyed {0}.\nAnd {1} too"
    ),
    phrases("I liked {0}, {1} and {2} | {0} and {1} were great, {2} as well!"),
)
DISLIKED = phrases("I did not like {0} at all. | Please not like {0} , I hated it")
ANSWERS = phrases("Both are fine | I don't mind | new ones mostly | not sure | whatever is good")
REACTIONS = phrases(
    "I have not seen that one | Sounds good! | What is it about? | I will check it out. | "
    "Never heard of it | Great, thanks | ok @ what?"
)
NAMED_REACTIONS = phrases("I will watch {0} tonight! | Oh yes, I saw {0} | {0} sounds great")
THANKS = phrases(
    "Thank you for the suggestions! | Thanks, bye | That helps a lot, thank you. | thanks!"
)
BLANKS = ("", " ", "  ", "\n")

# --- what the recommender says ----------------------------------------------------------------

QUESTIONS = phrases(
    "What kind of movies do you like? | What are you in the mood for? | "
    "What do you usually watch? | Any favourites? | What can I find for you today?"
)
FURTHER_QUESTIONS = phrases(
    "Do you like old or new ones? | Who is your favourite actor? | Alone or with friends?"
)
AGREEMENTS = phrases(
    "Oh, {0} is great. | I loved {0} too! | {0} is one of my favourites &amp; a classic | "
    "Good choice, {0}"
)
FILLERS = ("Let me think.", "That is a tough one", "Sure!", "ok", "Nice", "")
# by the number of movies, less one
SUGGESTIONS = (
    phrases(
        "Have you seen {0}? | You might like {0}. | I would recommend {0} | How about {0} ? | "
        "{0} is a good one | Try {0}! | Then watch {0} , really"
    ),
    phrases("You could try {0} or {1}. | {0} and {1} come to mind"),
)
REMARKS = phrases(
    "It is about {name} and a stranger. | I forgot who is in it. | It came out some time ago | "
    "A friend told me about it"
)
REFUSALS = phrases("Sorry, nothing comes to mind. | I don't know any, I rarely watch movies")
FAREWELLS = phrases("Enjoy! | You are welcome, bye | Have a nice evening | Glad I could help.")
