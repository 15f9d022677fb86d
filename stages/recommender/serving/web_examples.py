"""Requests to try, on the page and in the README; the first four ask what the notebook asked."""

EXAMPLE_REQUESTS = (
    "I love animated movies and comedies, like Toy Story and Finding Nemo. What else is fun?",
    "Something dramatic and artistic, please. I like Christopher Nolan's films, such as Inception.",
    "I want a good action movie. I have seen everything by Marvel and loved The Avengers.",
    "Something scary for Halloween! I loved The Babadook and It Follows.",
    "A feel-good movie for a rainy Sunday with my parents",
    "I grew up with The Goonies and Back to the Future and would like more of that",
)
