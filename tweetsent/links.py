"""Messages that are nothing but links, which nobody here opens."""

import re

from tweetsent.text import MENTION

# Without a scheme only a path tells a link from words with a full stop between them.
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w.@-])(?:[a-z0-9-]+\.)+[a-z]{2,}/\S*", re.IGNORECASE | re.ASCII
)
_TWEET = re.compile(
    r"(?:https?://|(?<!\S))(?:(?:www|m|mobile)\.)?"
    r"(?:(?:x|twitter|fixupx|fixvx|fxtwitter|vxtwitter|xcancel)\.com|nitter\.net|t\.co)/",
    re.IGNORECASE | re.ASCII,
)


def is_only_links(text: str) -> bool:
    """Whether a text has links, and beside them no word but mentions."""
    rest, links = _LINK.subn("", text)
    return links > 0 and not any(char.isalpha() for char in MENTION.sub("", rest))


def has_tweet_link(text: str) -> bool:
    """Whether a text has a link to a tweet, shortened or by way of one of the usual mirrors."""
    return _TWEET.search(text) is not None
