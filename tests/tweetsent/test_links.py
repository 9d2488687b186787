import pytest

from tweetsent.links import has_tweet_link, is_only_links

TWEETS = [
    "https://x.com/ali/status/1797?s=20",
    "http://twitter.com/ali/status/1797",
    "https://www.twitter.com/ali/status/1797",
    "https://mobile.twitter.com/ali/status/1797",
    "HTTPS://X.COM/ali/status/1797",
    "x.com/ali/status/1797",
    "https://fixupx.com/ali/status/1797",
    "https://vxtwitter.com/ali/status/1797",
    "https://fxtwitter.com/ali/status/1797",
    "https://t.co/Ab3dE",
    "t.co/Ab3dE",
]
OTHERS = [
    "https://www.netflix.com/title/1",
    "https://example.com/t.co/abc",
    "www.hurriyet.com.tr",
    "eksisozluk.com/entry/1",
    "https://notx.com/ali/status/1",
]


@pytest.mark.parametrize("link", TWEETS)
def test_links_to_tweets(link: str) -> None:
    for text in (link, f"@veli {link} 😂", f"{link}\n{link}"):
        assert is_only_links(text)
        assert has_tweet_link(text)


@pytest.mark.parametrize("link", OTHERS)
def test_other_links(link: str) -> None:
    assert is_only_links(f"{link} 12!")
    assert not has_tweet_link(link)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "😊 @ali 12",
        "şuna bak https://x.com/ali/status/1",
        "çok güzel.Yine gelirim",
        "iyi/kötü",
        "A.Ş./Ltd.",
        "x.com batmış",
    ],
)
def test_texts_and_texts_without_links(text: str) -> None:
    assert not is_only_links(text)
