"""The sample corpus's dialogues, in the fields of ReDial's official JSON lines.

A seeker has a taste, tells it in its words and mentions movies of it; a recommender answers with
movies that mostly are of the same taste and circle.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from stages.recommender.corpora import sample_words as words
from stages.recommender.corpora.mentions import mentioned_ids
from stages.recommender.corpora.sample_chance import Chance
from stages.recommender.corpora.sample_tastes import TASTES, Taste
from stages.recommender.corpora.sample_world import CIRCLES, Movie

_RESPONDENT_SPEAKS_FIRST = 0.6
_WORKERS = 90
_TASTE_WEIGHTS = [1.0 / (place + 6.0) for place in range(len(TASTES))]
# how likely a movie outside the seeker's taste or circle is, against one of equal popularity inside
_OTHER_TASTE = 0.01
_OTHER_CIRCLE = 0.15


def dialogues(
    chance: Chance, world: Sequence[Movie], count: int, first_id: int, first_message: int
) -> Iterator[dict[str, Any]]:
    """Dialogues as ReDial's archive has them, keys in its order.

    Args:
        chance: The draws.
        world: Movies; those with a ReDial id can be named.
        count: How many dialogues.
        first_id: Where the conversation ids start; they rise, with gaps.
        first_message: Where the message ids start.
    """
    named = [movie for movie in world if movie.redial_names]
    weights = {
        (taste, circle): [_weight(movie, taste, circle) for movie in named]
        for taste in range(len(TASTES))
        for circle in range(CIRCLES)
    }
    conversation, message = first_id, first_message
    for _ in range(count):
        taste = chance.weighted(range(len(TASTES)), _TASTE_WEIGHTS, 1)[0]
        circle = chance.between(0, CIRCLES - 1)
        script = _Script(chance, named, weights[taste, circle], TASTES[taste])
        script.play()
        record = _record(chance, script, conversation, message)
        yield record
        conversation += chance.between(1, 4)
        message += len(record["messages"]) + chance.between(0, 3)


def _weight(movie: Movie, taste: int, circle: int) -> float:
    """How likely a movie is to come up with a seeker of this taste and circle."""
    if movie.taste != taste:
        return _OTHER_TASTE * movie.popularity
    return movie.popularity * (1.0 if movie.circle == circle else _OTHER_CIRCLE)


class _Script:
    """One dialogue as it is spoken: (seeker speaks, text), and what it is about."""

    def __init__(
        self, chance: Chance, movies: Sequence[Movie], weights: Sequence[float], taste: Taste
    ) -> None:
        self._chance = chance
        self._movies = movies
        self._weights = weights
        self._taste = taste
        self._ids: dict[str, int] = {}
        self.names: dict[int, str | None] = {}
        self.suggested: set[int] = set()
        self.disliked: set[int] = set()
        self.lines: list[tuple[bool, str]] = []

    def play(self) -> None:
        """Fill the lines."""
        chance = self._chance
        if chance.happens(_RESPONDENT_SPEAKS_FIRST):
            self._recommender_opens()
        else:
            self._seeker_opens()
        mentioned = self._request()
        if chance.happens(0.03):
            self._recommender(chance.pick(words.REFUSALS))
        else:
            self._recommend(mentioned)
        self._seeker(chance.pick(words.THANKS))
        if chance.happens(0.7):
            self._recommender(chance.pick(words.FAREWELLS))
        if chance.happens(0.012):
            self.lines = [
                (seeks, chance.pick(words.BLANKS) if seeks else text) for seeks, text in self.lines
            ]

    def _seeker_opens(self) -> None:
        self._seeker(self._chance.pick(words.GREETINGS))
        if self._chance.happens(0.5):
            self._recommender(self._chance.pick(words.GREETINGS))

    def _recommender_opens(self) -> None:
        chance = self._chance
        if chance.happens(0.5):
            self._recommender(f"{chance.pick(words.GREETINGS)} {chance.pick(words.QUESTIONS)}")
        else:
            self._recommender(chance.pick(words.GREETINGS))
            self._recommender(chance.pick(words.QUESTIONS))
        if chance.happens(0.4):
            self._seeker(chance.pick(words.GREETINGS))

    def _request(self) -> list[Movie]:
        """What the seeker asks for, with the movies mentioned in it."""
        chance = self._chance
        if chance.happens(0.06):
            self._seeker(chance.pick(words.VAGUE_REQUESTS))
        else:
            request = chance.pick(words.REQUESTS).format(kind=chance.pick(self._taste.kinds))
            wish = chance.pick(self._taste.wishes)
            if chance.happens(0.5):
                self._seeker(f"{request} {wish}")
            else:
                self._seeker(request)
                self._seeker(wish)
        liked = self._draw(chance.pick((0, 1, 1, 1, 2, 2, 3)), [])
        if liked:
            self._seeker(self._say(chance.pick(words.LIKED[len(liked)]), liked))
        other = chance.pick(self._movies)
        if other not in liked and chance.happens(0.06):
            self._seeker(self._say(chance.pick(words.DISLIKED), [other]))
            self.disliked.add(self._id(other))
        if chance.happens(0.3):
            self._recommender(chance.pick(words.FURTHER_QUESTIONS))
            self._seeker(chance.pick(words.ANSWERS))
        return liked

    def _recommend(self, mentioned: list[Movie]) -> None:
        chance = self._chance
        if mentioned and chance.happens(0.45):
            self._recommender(self._say(chance.pick(words.AGREEMENTS), [chance.pick(mentioned)]))
        if chance.happens(0.3):
            self._recommender(chance.pick(words.FILLERS))
        movies = self._draw(chance.pick((1, 2, 2, 3, 3, 4, 5)), mentioned)
        while movies:
            count = 2 if len(movies) > 1 and chance.happens(0.25) else 1
            now, movies = movies[:count], movies[count:]
            self._recommender(self._say(chance.pick(words.SUGGESTIONS[count - 1]), now))
            self.suggested.update(self._id(movie) for movie in now)
            if chance.happens(0.4):
                self._recommender(chance.pick(TASTES[now[-1].taste].praise))
            self._react(now[-1])

    def _react(self, movie: Movie) -> None:
        chance = self._chance
        if chance.happens(0.12):
            self._seeker(self._say(chance.pick(words.NAMED_REACTIONS), [movie]))
        elif chance.happens(0.15):
            self._seeker(chance.pick(self._taste.wishes))
        elif chance.happens(0.6):
            self._seeker(chance.pick(words.REACTIONS))
            if chance.happens(0.2):
                name = chance.pick(words.FIRST_NAMES)
                self._recommender(chance.pick(words.REMARKS).format(name=name))

    def _draw(self, count: int, known: Sequence[Movie]) -> list[Movie]:
        """Distinct movies that suit the seeker, none known."""
        drawn = self._chance.weighted(self._movies, self._weights, count + len(known))
        return [movie for movie in drawn if movie not in known][:count]

    def _id(self, movie: Movie) -> int:
        """The movie's ReDial id, one and the same through the dialogue."""
        if movie.title not in self._ids:
            number, name = self._chance.pick(movie.redial_names)
            self._ids[movie.title] = number
            self.names[number] = None if self._chance.happens(0.002) else name
        return self._ids[movie.title]

    def _say(self, form: str, movies: Sequence[Movie]) -> str:
        return form.format(*(f"@{self._id(movie)}" for movie in movies))

    def _seeker(self, text: str) -> None:
        self.lines.append((True, text.lower() if self._chance.happens(0.2) else text))

    def _recommender(self, text: str) -> None:
        self.lines.append((False, text))


def _record(chance: Chance, script: _Script, conversation: int, message: int) -> dict[str, Any]:
    """A line of ReDial's archive. Like PHP, which wrote it, it has `[]` for an empty map."""
    initiator, respondent = chance.some(range(_WORKERS), 2)
    incomplete = chance.happens(0.05)
    ids = list(
        dict.fromkeys(movie_id for _, text in script.lines for movie_id in mentioned_ids(text))
    )
    ids = chance.some(ids, len(ids))
    seconds = 0
    messages = []
    for place, (seeks, text) in enumerate(script.lines):
        messages.append(
            {
                "timeOffset": None if incomplete else seconds,
                "text": text,
                "senderWorkerId": initiator if seeks else respondent,
                "messageId": None if incomplete else message + place,
            }
        )
        seconds += chance.between(5, 90)
    return {
        "movieMentions": {str(movie_id): script.names[movie_id] for movie_id in ids} or [],
        "respondentQuestions": _form(chance, script, ids, incomplete),
        "messages": messages,
        "conversationId": str(conversation),
        "respondentWorkerId": respondent,
        "initiatorWorkerId": initiator,
        "initiatorQuestions": _form(chance, script, ids, incomplete),
    }


def _form(
    chance: Chance, script: _Script, ids: Sequence[int], incomplete: bool
) -> dict[str, dict[str, int | None]] | list[Any]:
    """What one of the two answers on each movie: 0 no, 1 yes, 2 did not say."""
    if chance.happens(0.02):
        return []
    answers: dict[str, dict[str, int | None]] = {}
    for movie_id in ids:
        if chance.happens(0.01):
            continue
        liked = 0 if movie_id in script.disliked else chance.pick((1, 1, 1, 1, 2))
        answers[str(movie_id)] = {
            "suggested": None if incomplete else int(movie_id in script.suggested),
            "seen": None if incomplete else chance.pick((0, 1, 1, 1, 2)),
            "liked": liked,
        }
    return answers or []
