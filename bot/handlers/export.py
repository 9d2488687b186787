"""`/disa_aktar`: the corrections that may be trained with, as an Excel file for the admins."""

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, typing
from tweetsent.records import TrainingCorrection


async def on_export(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with the file; in private, since it holds users' texts."""
    async with typing(message):
        corrections = await context.service.training_corrections()
        rows, workbook = await asyncio.to_thread(_workbook, corrections)
        if not rows:
            await reply(message, texts.export.NOTHING)
            return
        await message.reply_document(
            workbook,
            filename=texts.export.file_name(datetime.now(UTC).date()),
            caption=texts.export.caption(rows),
            do_quote=True,
            allow_sending_without_reply=True,
        )


def _workbook(corrections: Sequence[TrainingCorrection]) -> tuple[int, bytes]:
    """How many rows there are, and the file with them; nothing without any."""
    if not corrections:
        return 0, b""
    from training.export import export_workbook  # which loads what trains

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.xlsx"
        rows = export_workbook(path, corrections)
        return rows, path.read_bytes() if rows else b""
