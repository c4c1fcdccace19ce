"""Twenty-four wrong copies of what the papers say, each planted, and the test that notices it.

These are the kinds that a whole suite once let pass: losses swapped or never added, no
augmentation, validation on what is trained, an optimizer's numbers ignored. Each is a text of the
code and the text in its place.

python benchmarks/kinds.py [--only WORD]
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mutants  # beside this file

OBJECTIVES = "isptools/train/objectives.py"
CAMERANET = "isptools/train/networks/cameranet.py"
COLOR = "isptools/measure/color.py"
PAPERS, HAND = "tests/train/test_papers.py", "tests/train/test_by_hand.py"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is wrong, where, in place of what, and which test fails for it."""

    about: str
    file: str
    before: str
    after: str
    test: str


KINDS = (
    Kind("lambda of the joint loss swapped", OBJECTIVES,
         'share * parts["restoration"] + (1 - share) * parts["enhancement"]',
         '(1 - share) * parts["restoration"] + share * parts["enhancement"]',
         f"{PAPERS}::test_lambda_weighs_the_restoration"),
    Kind("the color loss never added", OBJECTIVES, "if o.color:", "if False:",
         f"{PAPERS}::test_further_losses_are_added_to_the_enhancement_alone"),
    Kind("total variation never added", OBJECTIVES,
         "return loss + o.variation * variation(picture) if o.variation else loss", "return loss",
         f"{PAPERS}::test_further_losses_are_added_to_the_enhancement_alone"),
    Kind("total variation of rows alone", OBJECTIVES,
         "return rows + (picture[..., 1:] - picture[..., :-1]).abs().mean()", "return rows",
         f"{PAPERS}::test_variation_of_a_slope"),
    Kind("the color loss without its blur", OBJECTIVES,
         "line = torch.exp(-(at**2) / (2 * sigma**2))",
         "line = (at == 0).to(picture.dtype)", f"{PAPERS}::test_color_loss_of_an_impulse"),
    Kind("alpha of DeepISP's loss swapped", OBJECTIVES, "(1 - alpha) *", "alpha *",
         f"{PAPERS}::test_deepisps_loss_of_two_grays"),
    Kind("Lab with another white", OBJECTIVES, "xyz = mixed(XYZ_OF_WHITE, linear)", "xyz = linear",
         f"{PAPERS}::test_lab_is_scikit_images"),
    Kind("logarithms as the code has them, not the papers", OBJECTIVES,
         'x.clamp(min=eps) if logs == "paper" else', 'x.clamp(min=eps) if logs != "paper" else',
         "tests/train/test_networks.py::test_restoration_loss_by_hand"),
    Kind("VGG's layers wrong", "isptools/train/perceptual.py", "TAKEN = (8, 35)", "TAKEN = (9, 35)",
         f"{PAPERS}::test_the_perceptual_loss_is_that_of_two_layers"),
    Kind("the global block does not shift", CAMERANET, "leaky(features * scale + shift)",
         "leaky(features * scale)", f"{PAPERS}::test_the_global_block_by_loops"),
    Kind("the Enhance-Net is not dilated", CAMERANET, "DILATIONS = (1, 2, 2, 4, 8)",
         "DILATIONS = (1, 1, 1, 1, 1)",
         f"{PAPERS}::test_dilations_of_the_enhance_net_are_the_codes"),
    Kind("residual blocks add nothing", CAMERANET,
         "added = entered if last and self.residual else None", "added = None",
         f"{PAPERS}::test_a_residual_block_adds_what_entered_before_the_activation"),
    Kind("DeepISP's picture is not added to", "isptools/train/networks/deepisp.py",
         "picture = picture + residual", "picture = residual",
         f"{PAPERS}::test_deepisps_low_level_by_steps"),
    Kind("products of second order missing", "isptools/train/networks/deepisp.py", "r * g, r * b",
         "r * r, r * b", f"{PAPERS}::test_second_order_monomials"),
    Kind("no augmentation", "isptools/train/data.py", ".integers(len(choices))]", ".integers(1)]",
         f"{HAND}::test_each_symmetry_that_is_allowed_is_drawn"),
    Kind("the noise plane by gain, not its square", "isptools/train/intake.py", "gain**2 * read",
         "gain * read", f"{HAND}::test_the_noise_plane_is_the_variance_at_white"),
    Kind("validation on what is trained", "isptools/train/held.py",
         'data.open_shards(folder, "val", intake, truths)',
         'data.open_shards(folder, "train", intake, truths)',
         f"{HAND}::test_validation_is_the_loss_on_the_validation_split"),
    Kind("what is held out is trained all the same", "isptools/train/held.py",
         "train.chosen(lambda row: row.scene not in out)", "train",
         "tests/train/test_held.py::test_scenes_are_held_out_whole"),
    Kind("Adam's betas ignored", "isptools/train/run.py", "settings.adam.betas", "(0.8, 0.9)",
         f"{HAND}::test_weights_after_four_steps_of_adam"),
    Kind("the rate falls at half, not at three quarters", "isptools/train/settings.py",
         "AFTER = 0.75", "AFTER = 0.5",
         "tests/train/test_run.py::test_rates_fall_at_three_quarters"),
    Kind("untrusted pixels count", "isptools/train/task.py", "(torch.where(trusted, x, ",
         "(torch.where(True | trusted, x, ",
         "tests/train/test_networks.py::test_untrusted_pixels_take_no_part_in_the_loss"),
    Kind("S-CIELAB's filters of other weights", COLOR, "(0.921, 0.0283)", "(0.821, 0.0283)",
         "tests/measure/test_s_cielab.py::test_it_is_what_the_filters_say"),
    Kind("S-CIELAB's filters too narrow", COLOR, "spread * per_degree / np.sqrt(2)",
         "spread * per_degree / 2",
         "tests/measure/test_s_cielab.py::test_it_is_what_the_filters_say"),
    Kind("developed without the exposure ratio", "isptools/train/infer.py", "row.ratio or 1.0",
         "1.0", f"{HAND}::test_inputs_of_the_shards_are_developed_with_their_ratio"),
)  # fmt: skip


def noticed(kind: Kind) -> bool:
    """Whether the test that is named fails with the fault planted."""
    path = mutants.ROOT / kind.file
    source = path.read_text("utf-8")
    assert source.count(kind.before) == 1, f"{kind.about}: {kind.before} is not there once"
    code = compile(source.replace(kind.before, kind.after), str(path), "exec")
    name = kind.file.removesuffix(".py").replace("/", ".")
    with tempfile.TemporaryDirectory(prefix="kind-") as folder:

        def run() -> int:
            mutants.replant(name, path, code)
            import pytest

            options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tests"]
            return int(pytest.main([*options, kind.test]))

        return mutants._forked(run, 900) == 1  # a test failed: no other code will do


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Kinds whose text holds this.")
    chosen = parser.parse_args()
    os.chdir(mutants.ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(mutants.ROOT))
    kinds = [kind for kind in KINDS if chosen.only in kind.about]
    with tempfile.TemporaryDirectory(prefix="kinds-") as folder:
        mutants.miniature(Path(folder) / "sid")
        mutants.imported([])
        dead = 0
        for kind in kinds:
            found = noticed(kind)
            dead += found
            print(f"{'noticed' if found else 'PASSES'}: {kind.about} ({kind.test})", flush=True)
    print(f"{dead} of {len(kinds)} kinds noticed")
    sys.exit(dead < len(kinds))


if __name__ == "__main__":
    main()
