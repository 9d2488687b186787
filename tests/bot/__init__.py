"""Tests of the bot, driven from outside over HTTP or stdin and stdout."""
