"""LoRA layers in fewer GPU kernels, with the same numbers out of them."""

from typing import Any

import torch
from torch.nn.functional import linear

# Layers of one module that read the same input.
_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


def fuse_lora(model: torch.nn.Module) -> None:
    """Let a model's LoRA layers use fewer kernels; those with dropout stay as they are."""
    for module in list(model.modules()):
        for names in _SIBLINGS:
            siblings = [getattr(module, name, None) for name in names]
            if all(map(_is_plain_lora, siblings)):
                _share_product(siblings)
    for module in model.modules():
        if _is_plain_lora(module) and "forward" not in vars(module):
            _share_product([module])


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
