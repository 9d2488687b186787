"""The trained weights as one flat vector.

A LoRA adapter is hundreds of small matrices. As views of one vector they are clipped, stepped,
summed over processes and saved by one operation each. The vector is float32; what the model
computes with is its rounding to the model's type (mixed precision: Micikevicius et al. 2018,
arXiv:1710.03740).
"""

import torch


class TrainedWeights:
    """Every parameter of a model that requires a gradient."""

    def __init__(self, model: torch.nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        flat = torch.cat([p.detach().flatten() for p in parameters])
        self.vector = torch.nn.Parameter(flat.to(torch.float32, copy=True))
        """(P,) float32: what the optimiser steps."""
        self.vector.grad = torch.zeros_like(self.vector)
        self._rounded = flat
        self._gradient = torch.zeros_like(flat)
        start = 0
        for parameter in parameters:
            part = slice(start, start + parameter.numel())
            parameter.data = self._rounded[part].view_as(parameter)
            parameter.grad = self._gradient[part].view_as(parameter)
            start += parameter.numel()

    @property
    def gradient(self) -> torch.Tensor:
        """(P,) float32: the sum of what `collect` has brought since `forget`."""
        assert self.vector.grad is not None
        return self.vector.grad

    def collect(self) -> None:
        """Add the model's gradients of one backward pass, and clear them there."""
        self.gradient.add_(self._gradient)
        self._gradient.zero_()

    def forget(self) -> None:
        """Clear every gradient."""
        self.gradient.zero_()
        self._gradient.zero_()

    @torch.no_grad()
    def publish(self, vector: torch.Tensor | None = None) -> None:
        """Make the model compute with the vector, or with another of its shape."""
        self._rounded.copy_(self.vector if vector is None else vector)
