"""The pages in the browser: entry points beside the bot, on the same service and texts.

Needs the extra `ui` (Gradio); nothing else in the project imports this package, and the command
line does so only when the pages are asked for.
"""
