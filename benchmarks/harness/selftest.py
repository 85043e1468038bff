"""Checks of the arithmetic, of the tables and of how processes are run."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

from bits import cases, files, inputs
from bits.compare import compare
from harness import figures, process, tables, works
from harness.process import Outcome
from harness.setup import Place


class Figures(unittest.TestCase):
    def test_epochs_of_a_peer(self):
        facts = {"epoch_seconds": [9, 4, 1, 2, 3], "train_accuracy": 0.5, "test_accuracy": 0.6}
        found = figures.of_epochs(Outcome([{"other": 1}, facts], 20, 100), 1)
        self.assertEqual(
            (found["seconds"], found["first_seconds"], found["peak_mb"]), (2.5, 9, 100)
        )
        self.assertEqual((found["train_accuracy"], found["test_accuracy"]), (0.5, 0.6))

    def test_epochs_of_gradus(self):
        events = [
            {"event": "epoch", "seconds": seconds, "accuracy": accuracy}
            for seconds, accuracy in ((3, 0.1), (1, 0.2), (2, 0.3))
        ]
        found = figures.of_epochs(
            Outcome([*events, {"event": "done", "test_accuracy": 0.4}], 7, 50), 1
        )
        self.assertEqual((found["seconds"], found["first_seconds"]), (1.5, 3))
        self.assertEqual((found["train_accuracy"], found["test_accuracy"]), (0.3, 0.4))

    def test_ratios_are_taken_within_rounds(self):
        ours = [{"seconds": 10}, {"seconds": 40}, None, {"seconds": 9}]
        reference = [{"seconds": 1}, {"seconds": 4}, {"seconds": 1}, {"seconds": 3}]
        self.assertEqual(figures.ratio(ours, reference, "seconds"), 10)
        self.assertIsNone(figures.ratio([None], reference, "seconds"))

    def test_spread(self):
        self.assertEqual(figures.spread([3, 1, 2]), (2, 1, 3))
        self.assertIsNone(figures.spread([]))

    def test_bench_lines(self):
        lines = [
            {"work": "peak", "threads": 1, "gflops": 100},
            {"work": "peak", "threads": 2, "gflops": 200},
            {"work": "predict one image", "network": "784-512-10", "seconds": 9},
            {"work": "predict one image", "network": "784-128-10", "seconds": 2e-6},
            {"work": "predict all test images", "network": "784-128-10", "samples_per_second": 3e6},
        ]
        found = figures.of_bench(Outcome(lines), "784-128-10", 0.98)
        self.assertEqual((found["one_image_seconds"], found["images_per_second"]), (2e-6, 3e6))
        self.assertEqual(figures.peak_gflops(lines, 2), 200)
        self.assertIsNone(figures.peak_gflops(lines, 4))
        with self.assertRaises(KeyError):
            figures.of_bench(Outcome(lines[:3]), "784-128-10", 0.98)

    def test_floor_of_the_notebook(self):
        self.assertAlmostEqual(figures.floor_gflop([784, 128, 10]), 5.07, places=2)


class Tables(unittest.TestCase):
    def test_numbers(self):
        shown = [0.0478321, 1.23456, 12.3456, 123.456, 23456.7, 0.000004567, 0]
        wanted = ["0.0478", "1.23", "12.3", "123", "23,457", "0.00000457", "0"]
        self.assertEqual([tables.number(value) for value in shown], wanted)
        self.assertEqual(tables.number(None), "-")

    def test_spreads(self):
        self.assertEqual(tables.with_spread([0.2, 0.1, 0.3]), "0.200 (0.100 - 0.300)")
        self.assertEqual(tables.with_spread([2e-6], 1e6), "2.00")
        self.assertEqual(tables.with_spread([]), "-")

    def test_a_trainer_that_failed_keeps_its_row(self):
        good = {"seconds": 0.5, "first_seconds": 1}
        good |= {"train_accuracy": 0.8, "test_accuracy": 0.9, "peak_mb": 64}
        slow = good | {"seconds": 1.5, "train_accuracy": 0.7}
        text = tables.of_epochs(
            {"gradus": [good], "other": [slow], "broken": [None]}, "gradus", 0.25
        )
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
        self.assertEqual(lines[2][:4], ["gradus", "0.500", "1.00", "0.50"])
        self.assertEqual(lines[3][:4], ["other", "1.50", "3.00", "0.17"])
        self.assertEqual(lines[3][5:7], ["70.00 %", "90.00 %"])
        self.assertEqual(lines[4], ["broken", "-", "-", "-", "-", "-", "-", "-", "0"])
        self.assertEqual(len({len(line) for line in text.splitlines()}), 1)

    def test_failures_are_named_once(self):
        text = tables.failures({"other": ["no memory", "no memory"]})
        self.assertEqual(text, "- other failed: no memory")


class Works(unittest.TestCase):
    def test_every_trainer_has_a_name_of_its_own_and_a_command(self):
        folder = Path("x")
        place = Place(folder, folder, folder / "python", folder / "gradus", folder, threads=2)
        compared = [
            works.notebook(place, 3, False),
            works.minibatch(place, "b1", [128], 6, 3),
            works.to_98(place, 10),
            works.predict(place, 3, False, folder / "model.npz", 0.98),
        ]
        for work in compared:
            names = [trainer.name for trainer in work.trainers]
            self.assertEqual(names[0], works.REFERENCE)
            self.assertEqual(len(set(names)), len(names))
            for trainer in work.trainers:
                command = [str(word) for word in trainer.command(0)]
                self.assertIn(
                    command[0].split("/")[1], ("python", "gradus", "candle_peer", "burn_peer")
                )
                for script in command[1:2]:
                    if script.endswith(".py"):
                        self.assertTrue(Path(script).is_file(), script)


class Processes(unittest.TestCase):
    def run_python(self, code, limit=20):
        return process.run([sys.executable, "-c", code], dict(os.environ), 1, limit)

    def test_json_time_and_memory(self):
        block = (
            "import json; a = b'x' * 80_000_000; print('hello'); print(json.dumps({'a': len(a)}))"
        )
        outcome = self.run_python(block)
        self.assertEqual((outcome.lines, outcome.error), ([{"a": 80_000_000}], None))
        self.assertGreater(outcome.peak_mb, 76)
        self.assertGreater(outcome.wall_seconds, 0)

    def test_one_core_for_one_thread(self):
        code = "import json, os; print(json.dumps({'cores': len(os.sched_getaffinity(0))}))"
        before = os.sched_getaffinity(0)
        self.assertEqual(self.run_python(code).lines, [{"cores": 1}])
        self.assertEqual(os.sched_getaffinity(0), before)

    def test_failures_say_why(self):
        self.assertIn("ValueError: odd", self.run_python("raise ValueError('odd')").error)
        self.assertIn("no JSON", self.run_python("print('hello')").error)
        self.assertIn("not done after", self.run_python("import time; time.sleep(20)", 0.5).error)
        missing = process.run(["/no/such/program"], dict(os.environ), 1, 1)
        self.assertIn("cannot start", missing.error)

    def test_foreign_settings_are_left_behind(self):
        os.environ["OPENBLAS_CORETYPE"] = "Prescott"
        try:
            environment = process.clean_environment(2, {"GRADUS_ISA": "avx2"})
        finally:
            del os.environ["OPENBLAS_CORETYPE"]
        self.assertNotIn("OPENBLAS_CORETYPE", environment)
        self.assertEqual(environment["OMP_NUM_THREADS"], "2")
        self.assertEqual(environment["GRADUS_ISA"], "avx2")


class Records(unittest.TestCase):
    """What same_bits.py masks, hashes and compares."""

    OLD = {"tensors": "t", "file": "f", "metadata": {"epochs": 3, "rates": [0.1, 0.2]}}

    def differences(self, new, version="gradus 1", **options):
        old = {"program": {"version": "gradus 1"}, "entries": {"model": self.OLD}}
        new = {"program": {"version": version}, "entries": {"model": self.OLD | new}}
        found = compare(old, new, **options)
        return [len(lines) for lines in (found.changed, found.missing, found.added, found.bytes_only)]

    def test_changes(self):
        self.assertEqual(self.differences({}), [0, 0, 0, 0])
        self.assertEqual(self.differences({"tensors": "u", "file": "g"}), [1, 0, 0, 1])
        self.assertEqual(self.differences({"metadata": {"epochs": 3}}), [0, 1, 0, 0])
        self.assertEqual(self.differences({"metadata": {"epochs": 3, "rates": [0.1, 0.3]}}), [1, 0, 0, 0])
        self.assertEqual(self.differences({"metadata": {"epochs": 3.0, "rates": [0.1, 0.2]}}), [0, 0, 0, 0])
        self.assertEqual(self.differences({"metadata": {"epochs": 3, "rates": [0.1]}}), [1, 0, 0, 0])

    def test_other_bytes_are_a_change_unless_something_explains_them(self):
        self.assertEqual(self.differences({"file": "g"}), [1, 0, 0, 0])
        self.assertEqual(self.differences({"file": "g"}, "gradus 2"), [0, 0, 0, 1])
        more = {"metadata": self.OLD["metadata"] | {"inputs": "bytes"}}
        self.assertEqual(self.differences({"file": "g"} | more), [0, 0, 1, 1])

    def test_renamed_keys(self):
        new = {"metadata": {"passes": 3, "rates": [0.1, 0.2]}}
        self.assertEqual(self.differences(new), [0, 1, 1, 0])
        self.assertEqual(self.differences(new, renamed=[("epochs", "passes")]), [0, 0, 0, 0])

    def test_masks(self):
        found = files.masked({"seconds": 1.5, "at": ["/tmp/x/y"], "threads": None}, [("/tmp/x", "(x)")])
        self.assertEqual(found, {"seconds": files.MASK, "at": ["(x)/y"], "threads": None})

    def test_tensors_are_hashed_by_name(self):
        one, other = ("F32", [2], b"12345678"), ("F32", [2], b"abcdefgh")
        whole = files.tensors_digest({"a": one, "b": other})
        self.assertEqual(whole, files.tensors_digest({"b": other, "a": one}))
        self.assertNotEqual(whole, files.tensors_digest({"a": other, "b": one}))

    def test_options_replace_earlier_ones(self):
        words = cases.options("--hidden 8 --batch-norm --epochs 2", "--hidden 16,8 --epochs 3")
        self.assertEqual(words, ["--hidden", "16,8", "--batch-norm", "--epochs", "3"])

    def test_inputs_are_the_same_every_time(self):
        digests = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                inputs.make(Path(folder))
                paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
                digests.append([files.digest(path.read_bytes()) for path in paths])
        self.assertGreater(len(digests[0]), 100)
        self.assertEqual(*digests)


def main():
    """0 where all is well."""
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromModule(sys.modules[__name__])
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1
