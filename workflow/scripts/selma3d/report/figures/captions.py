"""What is said under each figure: what is drawn, how uncertainty is shown, what it does not say."""

from __future__ import annotations

_TEXT = """
overview
The leaderboard at a glance. Numbers: means over cases; colour: rank in that metric, darker is
better. The number beside a name is its place. A dash: not scored, or nothing was segmented.
Arrows say which direction of a metric is better.

scores
Scores of every test case with every training patch. Small dots: cases (seeds and folds averaged),
each at the same height in all rows of a structure, those of one specimen side by side; crosses:
cases where the worst value stands in for a missing or undefined score. Grey boxes: quartiles,
with the median as a line, from six cases on. Large symbols: means, with 95 % bootstrap intervals
where there are at least six known specimens. Colour tells the method, the symbol its
initialisation; open symbols start from scratch. Arrows say which direction is better.

podium
Podium plot, a panel a structure, on its first metric. Above: a thin line is a case, from the
score on its first podium to that on its last; symbols are entrants. Below: in how many cases an
entrant stood on a podium. Ties share the better place. With more than eight entrants, the eight
best of the leaderboard are ranked among themselves.

case-ranks
How often an entrant took each rank when every case and metric is ranked by itself, in percent of
its cases and metrics; ties share the better rank. A consistent entrant has one dark cell, an
erratic one a pale row. The number beside a name is its place on the leaderboard.

bootstrap-places
Stability of the ranking. The area of a disc is the share of bootstrap samples (specimens and
seeds drawn with replacement) in which the entrant took that place; the diamond is its place on
all cases, the line the central 95 % of places, given where every structure has at least six known
specimens.

significance
Pairwise comparisons on specimens (paired two-sided Wilcoxon signed-rank test, Holm-adjusted
within each panel, level 0.05). Blue: the entrant of the row is significantly better than that of
the column; orange: significantly worse; grey: no significant difference; hatched: not tested,
because specimens are fewer than six or unknown, or one of the two was not scored. Entrants are
numbered in the order of the leaderboard.

ranking-rules
Places under three ranking rules: mean over cases, then rank; rank in each case, then mean; and
the number of significant wins, then rank. Where lines cross, the place depends on the rule.

metric-profiles
Places under the edition's own metrics, quirks included, and under the robust definitions of the
same metrics. Where lines cross, a quirk has changed a place.

pretraining-gains
Gain of pretraining (score with minus score without, in units of the metric) with every training
patch. Small dots: specimens (cases where specimens are unknown), one dot a seed, those of one
specimen at one height; large symbols: means, with 95 % bootstrap intervals. Axes are turned so
that right of the line is better. Stars: paired two-sided Wilcoxon signed-rank test on specimens,
Holm-adjusted, * p < 0.05, ** p < 0.01, *** p < 0.001, ns otherwise. With fewer than six specimens
there is neither test nor interval, and the number of specimens is printed instead ("?" where it
is unknown).

pretraining-paired
Each specimen's score without (open symbol) and with pretraining (filled), with every training
patch; seeds, folds and cases are averaged within the specimen (cases stand alone where specimens
are unknown). A thin line is a specimen: coloured where pretraining was better, dotted grey where
it was not. Large symbols: means over specimens. An init named scratch-long is a control: no
pretraining, but the compute that pretraining took. Arrows say which direction is better.

learning-curves
Scores over the number of training patches per structure (equally spaced). Points: means over
cases; bands: 95 % bootstrap intervals, where there are at least six known specimens. Dashed lines
with open symbols start from scratch. Arrows say which direction is better.

seen-unseen
Scores on structures seen in training (filled) and on structures never annotated there (open); the
line between them is the gap. Structures are compared within their type, since the two types have
different metrics. Arrows say which direction is better.

reported
Published scores (grey squares; sources in config/reported) beside those of this run (coloured;
means with 95 % bootstrap intervals where there are at least six known specimens). They are
comparable only where both were scored on the same cases. Arrows say which direction is better.

histories
Training histories. Lines of one colour are runs under one label. Training loss is averaged over
the steps since the last entry; validation scores and held-out losses are on data never trained
on; dotted lines are the loss of a predictor that has learnt nothing. A cross marks a training
whose loss stopped being finite, or that learnt nothing.

panel
The best, the median and the worst case, by the mean over the entrants shown of the metric printed
under their names. Upper row of a case: orthogonal slices through the planes with most true
foreground (below: XZ, right: YZ, cut to a part around the XY plane in deep stacks). Middle row:
projections along z, the maximum of the image and the commonest class of the masks. Lower row:
rendering of the masks, seen at a slant from above, with false negatives behind all else. Yellow:
true positive; red: false positive; blue: false negative.
"""

CAPTIONS: dict[str, str] = {
    name: " ".join(caption.split())
    for name, caption in (block.split("\n", 1) for block in _TEXT.strip().split("\n\n"))
}
