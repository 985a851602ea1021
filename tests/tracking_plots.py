"""Plots of followed trajectories: ``python -m tests.tracking_plots tracking.json docs/images``.

One per trajectory, of what ``python -m tests.tracking --json tracking.json`` has flown.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

COLOURS = {"position": "#c46a3f", "motion": "#5b7f95", "attitude": "#2f6b4f"}


def plot(name, flights, directory):
    """Draw what was flown over what should have been, and the error."""
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(6.0, 7.6), height_ratios=(3, 1), layout="constrained"
    )
    reference = np.array(flights[-1]["reference"])
    above.plot(reference[:, 1], reference[:, 0], color="#bbbbbb", linewidth=5, label="wanted")
    for flight in flights:
        truth, wanted = np.array(flight["truth"]), np.array(flight["reference"])
        label, colour = f"{flight['form']}: {flight['rmse']:.2f} m", COLOURS[flight["form"]]
        above.plot(truth[:, 1], truth[:, 0], colour, linewidth=1, label=label)
        error = np.linalg.norm(truth - wanted, axis=1)
        below.plot(np.linspace(0, 1, len(error)), error, colour, linewidth=1)
    above.set(aspect="equal", xlabel="east [m]", ylabel="north [m]")
    above.set_title(f"{name}, {flights[0]['vehicle']}", loc="left", fontsize=10)
    above.legend(frameon=False, fontsize=8, loc="center")
    below.set(xlabel="share of the flight", ylabel="error [m]", yscale="log")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(directory / f"tracking-{name.split()[0]}.png", dpi=100)
    plt.close(figure)


def main():
    source, directory = map(Path, sys.argv[1:])
    flights = json.loads(source.read_text())
    for name in dict.fromkeys(flight["trajectory"] for flight in flights):
        plot(name, [f for f in flights if f["trajectory"] == name], directory)


if __name__ == "__main__":
    main()
