"""Tests of the pages: a real process with the tiny classifier, and Debian's Chromium."""
