"""The tastes of the sample corpus: what seekers ask for, and what is said of its movies.

A taste has words of its own, so that what a seeker says tells which movies are meant; seekers,
recommenders and taggers use words that are related in meaning, not always the same.
"""

from dataclasses import dataclass

from stages.recommender.corpora.sample_words import phrases


@dataclass(frozen=True)
class Taste:
    """What people who share a taste say."""

    genres: tuple[str, ...]
    """MovieLens genres; all movies of the taste have the first."""
    kinds: tuple[str, ...]
    """What a seeker asks for, as the object of a sentence."""
    wishes: tuple[str, ...]
    """What a seeker adds, as a sentence."""
    praise: tuple[str, ...]
    """What a recommender says of a movie, as a sentence."""
    tags: tuple[str, ...]
    """What users tag the movies with."""
    nouns: tuple[str, ...]
    """Words for titles, a hint of the taste."""


TASTES = (
    Taste(
        genres=("Horror", "Thriller", "Mystery"),
        kinds=phrases(
            "scary movies | a horror film | a haunted house story | something with ghosts | "
            "a really creepy film | some slasher movies"
        ),
        wishes=phrases(
            "I love being scared in the dark. | The more ghosts and demons the better. | "
            "I want nightmares afterwards. | Zombies and vampires are fine too. | "
            "It should be frightening, not just bloody."
        ),
        praise=phrases(
            "It is terrifying. | I could not sleep after it. | The ghost is so creepy. | "
            "Plenty of jump scares."
        ),
        tags=phrases(
            "scary | haunted house | ghosts | creepy | jump scares | slasher | demons | zombies | "
            "vampires | supernatural horror | gore | nightmares"
        ),
        nouns=phrases("Crypt | Cellar | Scarecrow | Graveyard | Shriek | Coffin"),
    ),
    Taste(
        genres=("Sci-Fi", "Adventure", "Action"),
        kinds=phrases(
            "science fiction | a space movie | something with robots | an alien story | "
            "a film set in the far future | sci-fi movies"
        ),
        wishes=phrases(
            "Spaceships and distant planets are my thing. | I like time travel a lot. | "
            "Androids and artificial intelligence fascinate me. | "
            "Astronauts, aliens, anything off this planet. | "
            "It should make me think about the future."
        ),
        praise=phrases(
            "The spaceships look amazing. | The robot steals the show. | Great aliens in it. | "
            "It is set on a distant planet."
        ),
        tags=phrases(
            "space | aliens | robots | spaceship | time travel | futuristic | astronauts | "
            "androids | hard sci-fi | dystopia | artificial intelligence | planets"
        ),
        nouns=phrases("Orbit | Satellite | Nebula | Android | Comet | Signal"),
    ),
    Taste(
        genres=("Romance", "Drama", "Comedy"),
        kinds=phrases(
            "a love story | romantic movies | a wedding movie | something romantic | "
            "a date night film | a tender romance"
        ),
        wishes=phrases(
            "I want to cry happy tears at the kiss. | Two people falling in love is enough. | "
            "I am a sucker for weddings. | My girlfriend and I watch these together. | "
            "It should warm the heart."
        ),
        praise=phrases(
            "It is so romantic. | The couple is lovely together. | I cried at the wedding. | "
            "A beautiful love story."
        ),
        tags=phrases(
            "love story | romantic | wedding | first kiss | chick flick | heartbreak | "
            "falling in love | date night | tearjerker | couple | love letters | bittersweet"
        ),
        nouns=phrases("Bride | Kiss | Valentine | Sweetheart | Bouquet | Embrace"),
    ),
    Taste(
        genres=("Western", "Action", "Drama"),
        kinds=phrases(
            "a western | cowboy movies | something in the wild west | a gunslinger story | "
            "a film about outlaws on the frontier | old style westerns"
        ),
        wishes=phrases(
            "I grew up with cowboys and horses. | A duel at noon is what I want. | "
            "Sheriffs and outlaws, dust and saloons. | I like wide prairies and ranches. | "
            "Stagecoach robberies are great."
        ),
        praise=phrases(
            "The final duel is great. | The sheriff is a real hero. | "
            "Best horse riding I have seen. | It shows the frontier as it was."
        ),
        tags=phrases(
            "cowboys | gunslinger | wild west | outlaws | sheriff | horses | duel | saloon | "
            "frontier | revenge on the prairie | ranch | stagecoach"
        ),
        nouns=phrases("Saddle | Saloon | Stampede | Prairie | Spur | Canyon"),
    ),
    Taste(
        genres=("War", "Drama", "Action"),
        kinds=phrases(
            "a war movie | something about soldiers | a military film | "
            "a story from the trenches | movies about the army | a battlefield drama"
        ),
        wishes=phrases(
            "I am interested in history and battles. | My grandfather served in the army. | "
            "Tanks, trenches, troops under fire. | It should show what combat does to men. | "
            "Submarines and bombers are welcome."
        ),
        praise=phrases(
            "The battle scenes are intense. | It honours the soldiers. | "
            "It shows how hard combat is. | The platoon feels real."
        ),
        tags=phrases(
            "soldiers | battle | military | trenches | tanks | army | combat | submarine | "
            "anti-war | veterans | invasion | prisoners of war"
        ),
        nouns=phrases("Regiment | Trench | Bunker | Cannon | Armistice | Sergeant"),
    ),
    Taste(
        genres=("Mystery", "Crime", "Film-Noir"),
        kinds=phrases(
            "a detective story | a murder mystery | a whodunit | crime movies | "
            "something with a serial killer hunt | a police investigation film"
        ),
        wishes=phrases(
            "I like to guess who the murderer is. | Clues and suspects until the last minute. | "
            "A clever inspector is a must. | I want a twist that I do not see coming. | "
            "Private eyes and gangsters in the rain."
        ),
        praise=phrases(
            "You never guess the murderer. | The detective is so clever. | "
            "The investigation keeps you hooked. | What a case."
        ),
        tags=phrases(
            "detective | murder | whodunit | investigation | police | clues | suspects | noir | "
            "serial killer | gangsters | private eye | courtroom"
        ),
        nouns=phrases("Alibi | Verdict | Suspect | Witness | Fingerprint | Inspector"),
    ),
    Taste(
        genres=("Animation", "Children", "Adventure"),
        kinds=phrases(
            "animated movies | something for the kids | a cartoon | a family film | "
            "movies with talking animals | a children's movie"
        ),
        wishes=phrases(
            "My daughter is five. | We have a family movie night with the little ones. | "
            "Cute animals are always a hit here. | It must be safe for small children. | "
            "Cartoons never get old for me."
        ),
        praise=phrases(
            "The kids will love it. | The animation is gorgeous. | The little bear is adorable. | "
            "Good for the whole family."
        ),
        tags=phrases(
            "animation | for kids | talking animals | cartoon | cute | family | toys | "
            "computer animation | hand drawn | children | puppies | bedtime"
        ),
        nouns=phrases("Puppy | Hedgehog | Teddy | Duckling | Balloon | Kitten"),
    ),
    Taste(
        genres=("Action", "Thriller", "Crime"),
        kinds=phrases(
            "action movies | something with car chases | a spy movie | a heist film | "
            "a fast action thriller | a movie with big explosions"
        ),
        wishes=phrases(
            "I want fights and stunts all the way. | Fast cars and secret agents. | "
            "Explosions, please, lots of them. | Adrenaline is what I need tonight. | "
            "A tough hero who saves the day."
        ),
        praise=phrases(
            "The stunts are crazy. | Non-stop action. | The car chase is the best ever. | "
            "The fights are brutal."
        ),
        tags=phrases(
            "car chase | explosions | stunts | spy | heist | secret agent | fast paced | "
            "martial arts | shootout | adrenaline | hostage | fight scenes"
        ),
        nouns=phrases("Getaway | Ambush | Payload | Countdown | Bullet | Agent"),
    ),
    Taste(
        genres=("Fantasy", "Adventure", "Children"),
        kinds=phrases(
            "fantasy movies | something with dragons | a story about wizards | "
            "a film full of magic | a sword and sorcery adventure | a fairy tale for adults"
        ),
        wishes=phrases(
            "Elves, castles and spells, I love it all. | A quest through a magical kingdom. | "
            "I read about witches and sorcerers all day. | Swords, knights and old prophecies. | "
            "Mythical creatures make my day."
        ),
        praise=phrases(
            "The dragon is magnificent. | The magic feels real. | A wonderful quest. | "
            "The wizard is great in it."
        ),
        tags=phrases(
            "dragons | wizards | magic | quest | elves | castle | sorcery | swords | fairy tale | "
            "kingdom | mythical creatures | prophecy"
        ),
        nouns=phrases("Dragon | Wizard | Amulet | Goblin | Sorcerer | Enchantment"),
    ),
    Taste(
        genres=("Comedy", "Romance", "Musical"),
        kinds=phrases(
            "a comedy | funny movies | something to laugh at | a silly parody | "
            "a stand-up kind of humour | a hilarious film"
        ),
        wishes=phrases(
            "I need a good laugh after this week. | Slapstick and dumb jokes are welcome. | "
            "The sillier the better. | Nothing serious, just gags. | Satire is my kind of humour."
        ),
        praise=phrases(
            "I laughed so hard. | The jokes never stop. | It is hilarious. | So silly and so funny."
        ),
        tags=phrases(
            "funny | hilarious | slapstick | parody | satire | jokes | stupid humor | quirky | "
            "goofy | laugh out loud | awkward | black comedy"
        ),
        nouns=phrases("Nincompoop | Prank | Buffoon | Pickle | Mishap | Clown"),
    ),
)
