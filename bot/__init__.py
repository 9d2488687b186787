"""Telegram: handlers, texts and transports. Nothing here touches the model or SQL directly."""
