"""The same layers in fewer GPU kernels, with the same numbers out of them.

A step of a small model is a long row of short kernels; what counts is how many there are and how
often each passes over the activations.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch.nn.functional import linear, rms_norm

# Not Gemma 3n and Gemma 4, which weight by w.
_GEMMA = {"GemmaRMSNorm", "Gemma2RMSNorm", "Gemma3RMSNorm"}
# Layers of one module that read the same input.
_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
_ROTATION = "apply_rotary_pos_emb"


def fuse(model: torch.nn.Module) -> None:
    """Let a model's LoRA layers, RMS norms and rotary embeddings use fewer kernels.

    Layers of other kinds stay as they are, and LoRA layers with dropout.
    """
    for module in list(model.modules()):
        for names in _SIBLINGS:
            siblings = [getattr(module, name, None) for name in names]
            if all(map(_is_plain_lora, siblings)):
                _share_product(siblings)
    for module in model.modules():
        if _is_plain_lora(module) and "forward" not in vars(module):
            _share_product([module])
        elif type(module).__name__.endswith("RMSNorm"):
            _fuse_norm(module)
        elif type(module).__name__.endswith("Attention"):
            _fuse_rotation(module)


def _is_plain_lora(layer: Any) -> bool:
    from peft.tuners.lora import Linear as LoraLinear

    return (
        isinstance(layer, LoraLinear)
        and type(layer.get_base_layer()) is torch.nn.Linear
        and isinstance(layer.lora_dropout["default"], torch.nn.Identity)
    )


def _share_product(layers: list[Any]) -> None:
    """Compute LoRA layers that read the same input together, whichever is asked first."""
    product = _SharedProduct(layers)
    for index, layer in enumerate(layers):
        layer.forward = _Part(product, index)


class _Part:
    """Replaces the forward pass of one of the layers."""

    def __init__(self, product: "_SharedProduct", index: int) -> None:
        self._product = product
        self._index = index

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._product.part(self._index, x)


class _SharedProduct:
    """The outputs of several LoRA layers for one input, each handed out once."""

    def __init__(self, layers: list[Any]) -> None:
        bases = [layer.get_base_layer() for layer in layers]
        self._sizes = [base.out_features for base in bases]
        weights, biases = ([getattr(base, name) for base in bases] for name in ("weight", "bias"))
        self._first = bases[0]
        # Buffers, so that they go where the model goes.
        self._first.register_buffer("all_weights", torch.cat(weights), persistent=False)
        all_biases = None if biases[0] is None else torch.cat(biases)
        self._first.register_buffer("all_biases", all_biases, persistent=False)
        for base, weight in zip(bases, self._first.all_weights.split(self._sizes), strict=True):
            base.weight.data = weight  # not a second copy of the frozen weights
        self._a = [layer.lora_A["default"] for layer in layers]
        self._b = [layer.lora_B["default"] for layer in layers]
        self._scaling = layers[0].scaling["default"]
        self._input: torch.Tensor | None = None
        self._outputs: dict[int, torch.Tensor] = {}

    def part(self, index: int, x: torch.Tensor) -> torch.Tensor:
        """What layer `index` gives for x."""
        if x is not self._input or index not in self._outputs:
            self._input = x
            self._outputs = dict(enumerate(self._compute(x)))
        output = self._outputs.pop(index)
        if not self._outputs:
            self._input = None
        return output

    def _compute(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a = [layer.weight for layer in self._a]
        y: torch.Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            x.flatten(0, -2),
            self._first.all_weights,
            self._first.all_biases,
            self._scaling,
            a[0] if len(a) == 1 else torch.cat(a),
            *(layer.weight for layer in self._b),
        )
        parts: tuple[torch.Tensor, ...] = y.view(*x.shape[:-1], -1).split(self._sizes, dim=-1)
        return parts


class _LoraProduct(torch.autograd.Function):
    """y = x Wᵀ + bias + s · [x A₁ᵀ B₁ᵀ, x A₂ᵀ B₂ᵀ, …] for layers below each other in W and A.

    Hu et al. 2021, arXiv:2106.09685; W and bias are frozen. Shapes: x (N, I), W (O₁ + O₂ + …, I),
    A (K · R, I) for K layers, B_k (O_k, R), y (N, O₁ + O₂ + …).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        scaling: float,
        a: torch.Tensor,
        *bs: torch.Tensor,
    ) -> torch.Tensor:
        inner = (x @ a.T).mul_(scaling)  # (N, K R)
        y = linear(x, weight, bias)
        for y_part, inner_part, b in _parts(y, inner, bs):
            y_part.addmm_(inner_part, b.T)
        ctx.save_for_backward(x, inner, weight, a, *bs)
        ctx.scaling = scaling
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        x, inner, weight, a, *bs = ctx.saved_tensors
        d_inner = torch.empty_like(inner)
        for dy_part, d_inner_part, b in _parts(dy, d_inner, bs):
            d_inner_part.addmm_(dy_part, b, beta=0, alpha=ctx.scaling)
        dx = (dy @ weight).addmm_(d_inner, a)
        d_bs = [dy_part.T @ inner_part for dy_part, inner_part, _ in _parts(dy, inner, bs)]
        return dx, None, None, None, d_inner.T @ x, *d_bs


def _parts(
    outer: torch.Tensor, inner: torch.Tensor, bs: Any
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The columns (N, O_k) and (N, R) of each layer beside its B."""
    sizes, ranks = [b.shape[0] for b in bs], [b.shape[1] for b in bs]
    return list(zip(outer.split(sizes, dim=1), inner.split(ranks, dim=1), bs, strict=True))


def _fuse_norm(norm: Any) -> None:
    """torch's one-kernel RMS norm under the two conventions of today's models."""
    if getattr(norm, "weight", None) is None:
        return
    shape = tuple(norm.weight.shape)
    if hasattr(norm, "variance_epsilon"):  # Llama, Mistral, Qwen; here rounded once, not twice

        def forward(x: torch.Tensor) -> torch.Tensor:
            return rms_norm(x, shape, norm.weight, norm.variance_epsilon)

    elif type(norm).__name__ in _GEMMA:  # weighted by 1 + w, then rounded
        gain = 1.0 + norm.weight.detach().float()

        def forward(x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = rms_norm(x.float(), shape, gain, norm.eps).type_as(x)
            return y

    else:
        return
    norm.forward = forward


def _fuse_rotation(attention: Any) -> None:
    """Let one attention layer rotate by `_rotate` where that is what its model's function does."""
    forward = type(attention).forward
    own = getattr(forward, "__globals__", {}).get(_ROTATION)
    if own is None or not _is_half_rotation(own):
        return
    # The same code with another function under the name; the model's own module is left alone.
    names = forward.__globals__ | {_ROTATION: _rotate}
    changed = FunctionType(
        forward.__code__, names, argdefs=forward.__defaults__, closure=forward.__closure__
    )
    changed.__kwdefaults__ = forward.__kwdefaults__
    attention.forward = changed.__get__(attention)


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
