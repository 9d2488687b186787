"""The same layers in fewer GPU kernels, with the same numbers out of them.

A step of a small model is a long row of short kernels; what counts is how many there are and how
often each passes over the activations.
"""

from typing import Any

import torch
from torch.nn.functional import linear, rms_norm

# Not Gemma 3n and Gemma 4, which weight by w.
_GEMMA = {"GemmaRMSNorm", "Gemma2RMSNorm", "Gemma3RMSNorm"}


def fuse(model: torch.nn.Module) -> None:
    """Let a model's LoRA layers and RMS norms use fewer kernels; layers of other kinds stay."""
    from peft.tuners.lora import Linear as LoraLinear

    for module in model.modules():
        if isinstance(module, LoraLinear) and type(module.get_base_layer()) is torch.nn.Linear:
            module.forward = _LoraForward(module)  # type: ignore[method-assign]
        elif type(module).__name__.endswith("RMSNorm"):
            _fuse_norm(module)


class _LoraForward:
    """Replaces the forward pass of PEFT's LoRA on a plain linear layer."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._base = layer.get_base_layer()
        self._a = layer.lora_A["default"]
        self._b = layer.lora_B["default"]
        self._dropout = layer.lora_dropout["default"]
        self._scaling = layer.scaling["default"]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(0, -2)
        y: torch.Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            rows,
            self._dropout(rows) if self._layer.training else rows,
            self._base.weight,
            self._base.bias,
            self._a.weight,
            self._b.weight,
            self._scaling,
        )
        return y.view(*x.shape[:-1], -1)


class _LoraProduct(torch.autograd.Function):
    """y = x Wᵀ + bias + s · x' Aᵀ Bᵀ, where x' is x after dropout; W and bias are frozen.

    Hu et al. 2021, arXiv:2106.09685. Shapes: x, x' (N, I), W (O, I), A (R, I), B (O, R), y (N, O).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        dropped: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        inner = (dropped @ a.T).mul_(scaling)  # (N, R)
        ctx.save_for_backward(dropped, inner, weight, a, b)
        ctx.scaling = scaling
        ctx.has_dropout = dropped is not x
        return linear(x, weight, bias).addmm_(inner, b.T)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        dropped, inner, weight, a, b = ctx.saved_tensors
        d_inner = (dy @ b).mul_(ctx.scaling)
        dx, d_dropped = dy @ weight, None
        if ctx.has_dropout:
            d_dropped = d_inner @ a
        else:
            dx.addmm_(d_inner, a)
        return dx, d_dropped, None, None, d_inner.T @ dropped, dy.T @ inner, None


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
