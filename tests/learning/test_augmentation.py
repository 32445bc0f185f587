"""Claims about augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from selma3d.challenge.augmentation import Augmentation
from selma3d.challenge.checking import check
from selma3d.learning import augmentation
from selma3d.learning.augmentation import GEOMETRIC
from selma3d.system.errors import InputError

OPERATIONS = tuple(Augmentation.model_fields)
ALWAYS = dict.fromkeys(OPERATIONS, 1.0)


@pytest.fixture
def images() -> torch.Tensor:
    """Four normalised images (4,1,16,24,24) with a bright ball off the centre."""
    images = torch.randn(4, 1, 16, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.3
    z, y, x = torch.meshgrid(torch.arange(16), torch.arange(24), torch.arange(24), indexing="ij")
    return images + 5.0 * (((z - 6) ** 2 + (y - 8) ** 2 + (x - 14) ** 2) < 20)


def augment(
    image: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    indices: Sequence[int],
    settings: Augmentation,
    seed: int = 0,
    purpose: str = "augment",
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Draw and apply at once."""
    samples = [(int(index), purpose) for index in indices]
    drawn = augmentation.draw(seed, samples, settings, image.shape[2:])
    return augmentation.augment(image, mask, drawn)


def augmented(images: torch.Tensor, settings: dict, seed: int = 0, first: int = 0) -> torch.Tensor:
    indices = torch.arange(first, first + len(images))
    return augment(images, None, seed=seed, indices=indices, settings=checked(settings))[0]


def checked(settings: dict) -> Augmentation:
    return check(Augmentation, settings, "augment")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_changes_images_and_keeps_their_shape(
    images: torch.Tensor, operation: str
) -> None:
    changed = augmented(images, {operation: 1.0})
    assert changed.shape == images.shape
    assert changed.isfinite().all()
    assert not torch.equal(changed, images)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_probability_zero_changes_nothing(images: torch.Tensor, operation: str) -> None:
    assert torch.equal(augmented(images, {operation: 0.0}), images)


def test_images_given_are_left_alone(images: torch.Tensor) -> None:
    before = images.clone()
    augmented(images, ALWAYS)
    augmented(images, dict.fromkeys(OPERATIONS, 0.5))
    assert torch.equal(images, before)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_sample_is_augmented_alike_in_any_batch(images: torch.Tensor, share: float) -> None:
    settings = dict.fromkeys(OPERATIONS, share)
    together = augmented(images, settings)
    alone = torch.cat([augmented(images[i : i + 1], settings, first=i) for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_augmentation_is_a_function_of_seed_index_and_purpose(images: torch.Tensor) -> None:
    once = augmented(images, ALWAYS)
    assert torch.equal(once, augmented(images, ALWAYS))
    assert not torch.equal(once, augmented(images, ALWAYS, seed=1))
    assert not torch.equal(once, augmented(images, ALWAYS, first=4))
    other = augment(
        images, None, seed=0, indices=range(4), settings=checked(ALWAYS), purpose="view 2"
    )[0]
    assert not torch.equal(once, other)


@pytest.mark.parametrize("operation", GEOMETRIC)
def test_mask_follows_the_geometry_and_stays_binary(images: torch.Tensor, operation: str) -> None:
    mask = (images > 2.5).float()
    image, moved = augment(
        images, mask, seed=3, indices=range(4), settings=checked({operation: 1.0})
    )
    assert set(moved.unique().tolist()) <= {0.0, 1.0}
    overlap = 2 * ((image > 2.5) * moved).sum() / ((image > 2.5).sum() + moved.sum())
    assert overlap > 0.85
    assert not torch.equal(moved, mask)


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - set(GEOMETRIC)))
def test_intensity_operations_leave_the_mask_alone(images: torch.Tensor, operation: str) -> None:
    mask = (images > 2.5).float()
    moved = augment(images, mask, seed=3, indices=range(4), settings=checked({operation: 1.0}))[1]
    assert torch.equal(moved, mask)


def test_right_angles_only_permute_voxels(images: torch.Tensor) -> None:
    turned = augmented(images, {"flip": 1.0, "rotate90": 1.0})
    assert torch.equal(turned.flatten(1).sort().values, images.flatten(1).sort().values)


def test_rotation_stays_in_the_plane(images: torch.Tensor) -> None:
    planes = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(4, 1, 16, 24, 24)
    assert torch.allclose(augmented(planes, {"rotate": 1.0}), planes, atol=1e-4)


def test_rotation_is_rigid_in_windows_that_are_wider_than_high() -> None:
    image = torch.zeros(1, 1, 4, 40, 80)
    image[..., 18:22, 30:50] = 1
    settings = {"rotate": {"probability": 1.0, "degrees": 45.0, "zoom": 0.0}}
    areas = [augmented(image, settings, first=index).sum().item() for index in range(5)]
    assert areas == pytest.approx([image.sum().item()] * 5, rel=0.1)


@pytest.mark.parametrize("magnification", [0.8, 1.5, 2.0])
def test_zoom_magnifies_all_axes_alike_and_the_mask_with_the_image(magnification: float) -> None:
    ball = torch.zeros(1, 1, 32, 40, 40)
    centred = [torch.arange(n) - (n - 1) / 2 for n in (32, 40, 40)]
    z, y, x = torch.meshgrid(centred, indexing="ij")
    ball[0, 0] = (z**2 + y**2 + x**2 < 36).float()
    settings = {"zoom": {"probability": 1.0, "low": magnification, "high": magnification}}
    image, mask = augment(ball, ball, seed=0, indices=[0], settings=checked(settings))
    volume = float(ball.sum()) * magnification**3
    assert float(mask.sum()) == pytest.approx(volume, rel=0.15)
    assert ((image > 0.5) != (mask > 0.5)).sum() < 0.15 * mask.sum()
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        extent = float(mask[0, 0].amax(dim=others).sum())
        assert extent == pytest.approx(12 * magnification, abs=2)


def test_missing_planes_show_a_neighbour(images: torch.Tensor) -> None:
    changed = augmented(images, {"missing_planes": {"probability": 1.0, "planes": 2}})
    for before, after in zip(images, changed, strict=True):
        differing = [z for z in range(16) if not torch.equal(before[0, z], after[0, z])]
        assert 1 <= len(differing) <= 2
        assert all(
            any(torch.equal(after[0, z], before[0, n]) for n in (z - 1, z + 1) if 0 <= n < 16)
            for z in differing
        )


def test_blur_acts_along_z_alone(images: torch.Tensor) -> None:
    columns = torch.randn(1, 1, 1, 24, 24).expand(1, 1, 16, 24, 24)
    assert torch.allclose(augmented(columns, {"blur_z": 1.0}), columns, atol=1e-5)
    blurred = augmented(images, {"blur_z": 1.0})
    assert blurred.diff(dim=2).square().mean() < images.diff(dim=2).square().mean()


def test_stripes_run_along_one_axis_of_the_plane() -> None:
    flat = torch.ones(1, 1, 8, 16, 16)
    flat[..., 0, 0, 0] = 0
    striped = augmented(flat, {"stripes": 1.0})[0, 0, :, 1:, 1:]
    along_y, along_x = (striped.diff(dim=axis).abs().max() for axis in (1, 2))
    assert min(along_y, along_x) < 1e-5 < max(along_y, along_x)


def test_settings_may_give_an_operations_own_range(images: torch.Tensor) -> None:
    weak = augmented(images, {"noise": {"probability": 1.0, "sd": 0.01}})
    strong = augmented(images, {"noise": {"probability": 1.0, "sd": 1.0}})
    assert (weak - images).std() < 0.02 < (strong - images).std()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotation": 0.5}, "augment: rotation: unknown key, did you mean 'rotate'"),
        ({"noise": {"probability": 0.5, "sigma": 1}}, "noise.sigma: unknown key"),
        ({"noise": 1.5}, "noise.*: expected at most 1, found 1.5"),
    ],
)
def test_unknown_settings_are_refused(images: torch.Tensor, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        augmented(images, settings)


def test_right_angles_in_oblong_windows_are_refused() -> None:
    with pytest.raises(InputError, match="as wide as high"):
        augmented(torch.zeros(1, 1, 4, 8, 16), {"rotate90": 0.5})


def test_a_curve_keeps_the_order_of_intensities_and_the_darkest_voxel(images: torch.Tensor) -> None:
    changed = augmented(images, {"curve": 1.0})
    for before, after in zip(images.flatten(1), changed.flatten(1), strict=True):
        assert after[before.argsort()].diff().min() >= -1e-4
        assert after.min() == pytest.approx(float(before.min()), abs=1e-4)


def test_sharpening_leaves_an_even_image_and_makes_edges_steeper(images: torch.Tensor) -> None:
    even = torch.full((4, 1, 16, 24, 24), 0.7)
    assert torch.allclose(augmented(even, {"sharpen": 1.0}), even, atol=1e-5)
    changed = augmented(images, {"sharpen": 1.0})
    assert (
        changed.diff(dim=-1).abs().amax((1, 2, 3, 4)) > images.diff(dim=-1).abs().amax((1, 2, 3, 4))
    ).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_mixed_precision_of_the_network_does_not_reach_images_and_masks(
    name: str, images: torch.Tensor
) -> None:
    given = {"indices": range(4), "settings": check(Augmentation, {name: 1.0}, "augment")}
    mask = (images > 2).float()
    expected = augment(images, mask, **given)
    with torch.autocast("cpu", torch.bfloat16):
        found = augment(images, mask, **given)
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


class _Convolutions(TorchDispatchMode):
    """Counts convolutions, which GPUs since Ampere round to ten bits."""

    number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += func.overloadpacket is torch.ops.aten.convolution
        return func(*args, **(kwargs or {}))


def test_no_image_is_rounded_by_a_convolution(images: torch.Tensor) -> None:
    with _Convolutions() as convolutions:
        augment(images, None, indices=range(4), settings=check(Augmentation, ALWAYS, "augment"))
    assert convolutions.number == 0
