"""Where a forwarded message comes from."""

from telegram import (
    Message,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
)

from tweetsent.text import clean


def origin_name(message: Message) -> str:
    """The name of the user, chat or channel that a message was forwarded from; "" for others."""
    match message.forward_origin:
        case MessageOriginUser(sender_user=user):
            return clean(user.full_name)
        case MessageOriginHiddenUser(sender_user_name=name):
            return clean(name)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            return clean(chat.effective_name or "")
    return ""
