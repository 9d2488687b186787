"""Tests of the core library, one file for each module."""
