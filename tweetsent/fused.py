"""The same norms and rotations in fewer kernels, with the same numbers out of them.

A pass of a small model is a long row of short kernels; what counts is how many there are and how
often each goes over the activations.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch.nn.functional import rms_norm

# Not Gemma 3n and Gemma 4, which weight by w.
_GEMMA = {"GemmaRMSNorm", "Gemma2RMSNorm", "Gemma3RMSNorm"}
_ROTATION = "apply_rotary_pos_emb"


def fuse(model: torch.nn.Module) -> None:
    """Let a model's RMS norms and rotary embeddings use fewer kernels; all else stays as it is."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            _fuse_norm(module)
        elif type(module).__name__.endswith("Attention"):
            _fuse_rotation(module)


def _fuse_norm(norm: Any) -> None:
    """torch's one-kernel RMS norm under the two conventions of today's models."""
    if getattr(norm, "weight", None) is None:
        return
    shape = tuple(norm.weight.shape)
    if hasattr(norm, "variance_epsilon"):  # Llama, Mistral, Qwen; here rounded once, not twice

        def forward(x: torch.Tensor) -> torch.Tensor:
            return rms_norm(x, shape, norm.weight, norm.variance_epsilon)

    elif type(norm).__name__ in _GEMMA:  # weighted by 1 + w, then rounded
        # A buffer, so that it goes where the model goes.
        norm.register_buffer("gain", 1.0 + norm.weight.detach().float(), persistent=False)

        def forward(x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = rms_norm(x.float(), shape, norm.gain, norm.eps).type_as(x)
            return y

    else:
        return
    norm.forward = forward


def _fuse_rotation(attention: Any) -> None:
    """Let one attention layer rotate by `_rotate` where that is what its model's function does."""
    forward = type(attention).forward
    own = getattr(forward, "__globals__", {}).get(_ROTATION)
    if own is None or own is _rotate or not _is_half_rotation(own):
        return
    # The same code with another function under the name; the model's own module is left alone.
    names = forward.__globals__ | {_ROTATION: _rotate}
    changed = FunctionType(
        forward.__code__, names, argdefs=forward.__defaults__, closure=forward.__closure__
    )
    changed.__kwdefaults__ = forward.__kwdefaults__
    kind = type(attention)
    # A class of its own: a bound function in the layer would keep it from being freed at once.
    attention.__class__ = type(f"Fused{kind.__name__}", (kind,), {"forward": changed})


def _is_half_rotation(rotate: Callable[..., Any]) -> bool:
    """Whether a model's function does what `_rotate` does; there are others under this name."""
    draw = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, heads, 3, 8, generator=draw) for heads in (4, 2))
    cos, sin = (torch.randn(2, 3, 4, generator=draw).repeat(1, 1, 2) for _ in range(2))
    try:
        expected = rotate(q, k, cos, sin)
    except (TypeError, RuntimeError):
        return False
    return all(
        one.shape == other.shape and torch.allclose(one, other, atol=1e-5)
        for one, other in zip(_rotate(q, k, cos, sin), expected, strict=True)
    )


def _rotate(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864), halves paired.

    q and k are (B, heads, T, D), cos and sin (B, T, D).
    """
    rotated: tuple[torch.Tensor, torch.Tensor] = _Rotation.apply(  # type: ignore[no-untyped-call]
        q.transpose(1, 2), k.transpose(1, 2), cos.unsqueeze(2), sin.unsqueeze(2)
    )
    return rotated[0].transpose(1, 2), rotated[1].transpose(1, 2)


class _Rotation(torch.autograd.Function):
    """x cos + [-x₂, x₁] sin for the halves x₁, x₂ of each head; x is q or k, (B, T, heads, D)."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = sin.chunk(2, dim=-1)
        # What x's halves, exchanged, are multiplied by; and their gradient's, going back.
        ctx.save_for_backward(cos, torch.cat([second, -first], dim=-1))
        signed = torch.cat([-first, second], dim=-1)
        return _turned(q, cos, signed), _turned(k, cos, signed)

    @staticmethod
    def backward(ctx: Any, dq: torch.Tensor, dk: torch.Tensor) -> Any:
        cos, signed = ctx.saved_tensors
        return _turned(dq, cos, signed), _turned(dk, cos, signed), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, signed: torch.Tensor) -> torch.Tensor:
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), signed)
