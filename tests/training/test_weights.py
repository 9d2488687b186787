"""The flat vector of trained weights: what the model computes with is its rounding."""

import pytest
import torch

from training.weights import TrainedWeights


def small(dtype: torch.dtype = torch.bfloat16) -> torch.nn.Sequential:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2, bias=False))
    model[0].bias.requires_grad = False
    return model.to(dtype)


def loss_of(model: torch.nn.Module) -> torch.Tensor:
    x = torch.arange(6.0).view(2, 3).to(next(model.parameters()).dtype)
    return model(x).float().pow(2).sum()


def test_the_vector_is_every_parameter_that_is_trained_and_no_other() -> None:
    model = small()
    expected = torch.cat([model[0].weight.detach().flatten(), model[1].weight.detach().flatten()])
    weights = TrainedWeights(model)
    assert torch.equal(weights.vector, expected.float())


def test_making_it_changes_no_number_of_the_model() -> None:
    model, same = small(), small()
    TrainedWeights(model)
    for old, new in zip(same.parameters(), model.parameters(), strict=True):
        assert torch.equal(old, new)
    assert torch.equal(loss_of(model), loss_of(same))


def test_the_vector_is_float32_and_the_model_keeps_its_type() -> None:
    model = small(torch.bfloat16)
    weights = TrainedWeights(model)
    assert weights.vector.dtype == weights.gradient.dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_publishing_rounds_the_vector_into_the_model(dtype: torch.dtype) -> None:
    model = small(dtype)
    weights = TrainedWeights(model)
    before = model[0].weight.detach().clone()
    with torch.no_grad():
        weights.vector.copy_(torch.linspace(-1, 1, 20))
    assert torch.equal(model[0].weight, before)  # not before it is published
    weights.publish()
    rounded = torch.linspace(-1, 1, 20).to(dtype)
    assert torch.equal(model[0].weight.flatten(), rounded[:12])
    assert torch.equal(model[1].weight.flatten(), rounded[12:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_another_vector_can_be_published_and_the_own_one_again(dtype: torch.dtype) -> None:
    model = small(dtype)
    weights = TrainedWeights(model)
    own = weights.vector.detach().clone()
    weights.publish(torch.ones(20))
    assert all(bool((layer.weight == 1).all()) for layer in model)
    assert torch.equal(weights.vector, own)
    weights.publish()
    assert torch.equal(model[0].weight.flatten(), own[:12].to(dtype))


def test_steps_too_small_for_bfloat16_add_up() -> None:
    model = small()
    weights = TrainedWeights(model)
    with torch.no_grad():
        weights.vector.fill_(1.0)
        for _ in range(100):
            weights.vector.add_(1e-3)  # next to 1, bfloat16 steps by 2**-7
            weights.publish()
    assert float(weights.vector.detach()[0]) == pytest.approx(1.1, abs=1e-4)
    assert float(model[0].weight.detach()[0, 0]) == pytest.approx(1.1, abs=2**-7)


def test_collected_gradients_are_those_of_autograd_and_add_up() -> None:
    model, same = small(), small()
    weights = TrainedWeights(model)
    loss_of(same).backward()
    expected = torch.cat([same[0].weight.grad.flatten(), same[1].weight.grad.flatten()]).float()
    assert expected.any()

    loss_of(model).backward()
    weights.collect()
    assert torch.equal(weights.gradient, expected)
    loss_of(model).backward()
    weights.collect()
    assert torch.equal(weights.gradient, 2 * expected)
    assert weights.gradient is weights.vector.grad


def test_forgetting_clears_even_what_was_not_collected() -> None:
    model = small()
    weights = TrainedWeights(model)
    loss_of(model).backward()
    weights.collect()
    loss_of(model).backward()  # died before it was collected
    weights.forget()
    assert not weights.gradient.any()
    weights.collect()
    assert not weights.gradient.any()


def test_an_optimiser_on_the_vector_trains_the_model() -> None:
    model, same = small(torch.float32), small(torch.float32)
    weights = TrainedWeights(model)
    flat = torch.optim.AdamW([weights.vector], lr=0.01, weight_decay=0.1)
    usual = torch.optim.AdamW(
        [p for p in same.parameters() if p.requires_grad], lr=0.01, weight_decay=0.1
    )
    for _ in range(3):
        loss_of(model).backward()
        weights.collect()
        flat.step()
        weights.forget()
        weights.publish()
        usual.zero_grad()
        loss_of(same).backward()
        usual.step()
    for old, new in zip(same.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(new, old)
