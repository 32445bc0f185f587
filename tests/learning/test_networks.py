"""Networks: shapes, what counts as encoder, and what a transfer copies."""

from __future__ import annotations

import io

import pytest
import torch
from monai.networks import nets

from selma3d.learning import networks
from selma3d.system.errors import InputError
from small_training import built

TINY = {
    "unet": ({"channels": [4, 8, 8], "strides": [2, 2]}, (16, 8, 8)),
    "dynunet": ({"channels": [4, 8, 8], "strides": [1, 2, 2], "kernels": [3, 3, 3]}, (16, 8, 8)),
    "segresnet": ({"channels": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]}, (16, 8, 8)),
    "mednext": ({"channels": 4, "levels": 2, "blocks": 1}, (16, 8, 8)),
    "swinunetr": (
        {"channels": 12, "depths": [1, 1, 1, 1], "heads": [1, 2, 2, 2], "attention_window": 2},
        (32, 32, 64),
    ),
    "unetr": ({"window": [32, 16, 16], "hidden": 24, "mlp": 24, "heads": 2, "channels": 4},
              (32, 16, 16)),
}  # fmt: skip


def tiny(name: str, **more: object) -> networks.Segmenter:
    torch.manual_seed(0)
    return built({"name": name} | TINY[name][0] | more)


def image(name: str, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 1, *TINY[name][1], generator=generator)


def sizes(network: networks.Segmenter) -> dict[str, int]:
    return {name: parameter.numel() for name, parameter in network.named_parameters()}


def test_every_network_of_the_factory_is_tested_here() -> None:
    assert set(TINY) == set(networks.NETWORKS)


@pytest.mark.parametrize("name", TINY)
def test_logits_have_the_shape_of_the_image(name: str) -> None:
    assert tiny(name)(image(name, batch=2)).shape == (2, 1, *TINY[name][1])


@pytest.mark.parametrize("name", TINY)
def test_features_have_the_stated_channels_and_strides_fine_to_coarse(name: str) -> None:
    network = tiny(name)
    features = network.encode(image(name))
    assert [f.shape[1] for f in features] == list(network.feature_channels)
    for feature, stride in zip(features, network.feature_strides, strict=True):
        expected = [n // s for n, s in zip(TINY[name][1], stride, strict=True)]
        assert list(feature.shape[2:]) == expected
    volumes = [feature[0, 0].numel() for feature in features]
    assert volumes == sorted(volumes, reverse=True)
    assert network.divisor == max(network.feature_strides[-1])


@pytest.mark.parametrize("name", [name for name in TINY if name != "dynunet"])
def test_splitting_into_encoder_and_decoder_leaves_monais_output(name: str) -> None:
    network = tiny(name).eval()
    torch.testing.assert_close(network(image(name)), network.net(image(name)))


def test_splitting_into_encoder_and_decoder_leaves_monais_dynunet() -> None:
    network = tiny("dynunet", deep_supervision=True)
    whole = nets.DynUNet(
        3, 1, 1, [3, 3, 3], [1, 2, 2], [2, 2], [4, 8, 8], deep_supervision=True, res_block=True
    )
    missing, unexpected = whole.load_state_dict(network.net.state_dict(), strict=False)
    assert all(key.startswith("skip_layers.") for key in missing) and not unexpected
    logits = network(image("dynunet"))
    stacked = whole(image("dynunet"))
    torch.testing.assert_close(logits[0], stacked[:, 0])
    coarser = torch.nn.functional.interpolate(logits[1], scale_factor=2)
    torch.testing.assert_close(coarser, stacked[:, 1])


@pytest.mark.parametrize("name", TINY)
def test_forward_is_deterministic_and_the_seed_decides_the_weights(name: str) -> None:
    first, second = tiny(name), tiny(name)
    assert torch.equal(first(image(name)), first(image(name)))
    assert torch.equal(first(image(name)), second(image(name)))


@pytest.mark.parametrize("name", TINY)
def test_a_sample_does_not_depend_on_the_others_in_its_batch(name: str) -> None:
    network, images = tiny(name), image(name, batch=2)
    torch.testing.assert_close(network(images)[:1], network(images[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_encoder_prefixes_cover_exactly_what_the_features_depend_on(name: str) -> None:
    network = tiny(name)
    named = dict(network.named_parameters())
    total = sum(feature.sum() for feature in network.encode(image(name)))
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    reached = {key for key, gradient in zip(named, gradients, strict=True) if gradient is not None}
    assert reached == {key for key in named if key.startswith(network.encoder_prefixes)}


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_takes_part_in_the_logits(name: str) -> None:
    network = tiny(name)
    network(image(name)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", TINY)
def test_a_state_has_every_tensor_under_one_name(name: str) -> None:
    state = tiny(name).state_dict()
    assert len({tensor.data_ptr() for tensor in state.values() if tensor.numel()}) == len(state)


@pytest.mark.parametrize("name", TINY)
def test_transfer_of_the_encoder_copies_and_counts_the_encoder_alone(name: str) -> None:
    pretrained = tiny(name)
    torch.manual_seed(1)
    fresh = networks.build(pretrained.spec)
    before = {key: value.clone() for key, value in fresh.state_dict().items()}
    report = networks.transfer(fresh, pretrained.state_dict(), "encoder")
    prefixes = fresh.encoder_prefixes
    counted = sum(n for key, n in sizes(fresh).items() if key.startswith(prefixes))
    assert report["loaded"] == counted > 0
    assert set(report["loaded_keys"]) | set(report["skipped_keys"]) == set(before)
    for key, value in fresh.state_dict().items():
        source = pretrained.state_dict() if key.startswith(prefixes) else before
        assert torch.equal(value, source[key]), key


@pytest.mark.parametrize("name", TINY)
def test_transfer_of_encoder_and_decoder_leaves_out_only_the_output_layer(name: str) -> None:
    pretrained, fresh = tiny(name), tiny(name)
    report = networks.transfer(fresh, pretrained.state_dict(), "encoder+decoder")
    head = {key: n for key, n in sizes(fresh).items() if key.startswith(fresh.head_prefixes)}
    assert head and set(report["skipped_keys"]) == set(head)
    assert report["loaded"] + sum(head.values()) == sum(sizes(fresh).values())
    assert all("encoder" not in key and "down" not in key for key in head)


def test_transfer_into_deep_supervision_leaves_its_output_layers_out() -> None:
    fresh = tiny("mednext", deep_supervision=True)
    report = networks.transfer(fresh, tiny("mednext").state_dict(), "encoder+decoder")
    assert {key.split(".")[1] for key in report["skipped_keys"]} == {"out_0", "out_blocks"}


def test_transfer_from_another_architecture_names_the_first_key_that_does_not_fit() -> None:
    wider = built({"name": "unet", "channels": [8, 8, 8], "strides": [2, 2]})
    with pytest.raises(InputError, match=r"net\.model\.0\..*expected \(4, .*found \(8, "):
        networks.transfer(tiny("unet"), wider.state_dict(), "encoder")
    with pytest.raises(InputError, match="found nothing"):
        networks.transfer(tiny("unet"), tiny("segresnet").state_dict(), "encoder")


@pytest.mark.parametrize("name", ["dynunet", "mednext"])
def test_deep_supervision_gives_coarser_logits_in_training_only(name: str) -> None:
    network = tiny(name, deep_supervision=True)
    logits = network(image(name))
    assert logits[0].shape == (1, 1, 16, 8, 8)
    assert logits[1].shape == (1, 1, 8, 4, 4)
    sum(each.sum() for each in logits).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(image(name)).shape == (1, 1, 16, 8, 8)


def test_anisotropic_strides_keep_the_coarse_axis() -> None:
    network = built(
        {"name": "dynunet", "channels": [4, 4, 4], "strides": [1, [1, 2, 2], 2],
         "kernels": [[1, 3, 3], 3, 3]}
    )  # fmt: skip
    assert network.feature_strides == ((1, 1, 1), (1, 2, 2), (2, 4, 4))
    assert network(torch.zeros(1, 1, 4, 8, 8)).shape == (1, 1, 4, 8, 8)


def test_unetr_takes_windows_of_other_sizes_than_its_positions() -> None:
    assert tiny("unetr")(torch.zeros(1, 1, 16, 32, 16)).shape == (1, 1, 16, 32, 16)


@pytest.mark.parametrize("name", TINY)
def test_the_complete_spec_rebuilds_the_network_and_survives_a_safe_load(name: str) -> None:
    network, file = tiny(name), io.BytesIO()
    torch.save(
        {"network": network.spec.model_dump(mode="json"), "state": network.state_dict()}, file
    )
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    rebuilt = built(loaded["network"])
    rebuilt.load_state_dict(loaded["state"])
    assert torch.equal(rebuilt(image(name)), network(image(name)))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "unett"}, "network: name: no network 'unett', did you mean 'unet'"),
        ({}, "expected the key 'name'"),
        (
            {"name": "unet", "chanels": [4, 8]},
            "unet: chanels: unknown key, did you mean 'channels'",
        ),
        ({"name": "unet", "channels": 16}, "channels: expected array, found 16"),
        ({"name": "unet", "channels": [4, True]}, "channels.1: expected integer, found True"),
        ({"name": "unet", "channels": [4, 8, 16, 0]}, "channels.3: expected at least 1, found 0"),
        (
            {"name": "unet", "norm": "layer"},
            "norm: expected one of instance, group, channel, batch",
        ),
        ({"name": "unet", "channels": [4, 8]}, "channels, strides: expected"),
        ({"name": "unet", "channels": [4, 8], "strides": [2], "norm": "group"}, "multiples of 8"),
        ({"name": "dynunet", "strides": [2, 2, 2, 2]}, "a first stride of 1"),
        ({"name": "segresnet", "blocks_up": [1]}, "blocks_up: expected 3"),
        ({"name": "mednext", "kernel": 4}, "kernel: expected one of 3, 5, 7"),
        ({"name": "swinunetr", "channels": 16}, "multiple of 12"),
        ({"name": "unetr", "window": [64, 64]}, "window: expected an entry number 3"),
        ({"name": "unetr", "window": [64, 64, 40]}, "multiples of 16"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong_in_one_line(spec: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        built(spec)
    assert "\n" not in str(error.value)


def test_a_window_must_suit_the_network() -> None:
    network = tiny("unet")
    network.check_window((8, 4, 4), "window")
    for window in [(10, 8, 8), (4, 4, 4), (0, 8, 8)]:
        with pytest.raises(InputError, match="window: expected multiples of 4"):
            network.check_window(window, "window")


@pytest.mark.parametrize("name", ["unet", "dynunet", "segresnet"])
def test_channel_norm_makes_a_voxel_independent_of_what_is_far_away(name: str) -> None:
    # Small enough a receptive field that the far corner lies outside it.
    spec = {
        "unet": {"channels": [4, 8], "strides": [2]},
        "dynunet": {"channels": [4, 8, 8], "strides": [1, 2, 2], "kernels": [1, 1, 1]},
        "segresnet": {"channels": 8, "blocks_down": [1, 1], "blocks_up": [1]},
    }[name]
    torch.manual_seed(0)
    network = built({"name": name, "norm": "channel"} | spec).eval()
    image = torch.rand(1, 1, 48, 48, 48)
    other = image.clone()
    other[..., 40:, 40:, 40:] += 100
    with torch.no_grad():
        here, there = network(image)[..., :8, :8, :8], network(other)[..., :8, :8, :8]
    torch.testing.assert_close(here, there)
