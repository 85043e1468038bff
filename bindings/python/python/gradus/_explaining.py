"""What predictions depend on: importances of columns, partial dependence, and what each column adds to one prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradus import _columns, _core, _frames, _inputs, _settings
from gradus.plots import Plot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Importances:
    """How important each column is: how much worse a figure becomes when the column is shuffled.

    Attributes
    ----------
    names : list
        The columns, by name or position.
    importances : ndarray of shape (n_columns, n_repeats)
        How much the score falls: accuracy or R^2.
    importances_mean, importances_std : ndarray of shape (n_columns,)
        Mean and standard deviation over the repeats.
    loss_importances : ndarray of shape (n_columns, n_repeats)
        How much the log loss or the root mean squared error rises.
    scores : dict
        The two figures with all columns as they are.
    samples : int
        Samples that counted.
    """

    def __init__(self, names, found):
        scores, by_score, self.samples = found
        self.names, self.scores = names, dict(scores)
        (repeats, self._plot), (loss_repeats, self._loss_plot) = by_score
        self.importances, self.loss_importances = np.array(repeats), np.array(loss_repeats)
        self.importances_mean = self.importances.mean(axis=1)
        self.importances_std = self.importances.std(axis=1)

    def plot(self, by_loss: bool = True) -> Plot:
        """Draw the columns, the most important first: by log loss or root mean squared error, or by accuracy or R^2."""
        return Plot(self._loss_plot if by_loss else self._plot)

    def __repr__(self):
        order = np.argsort(-self.importances_mean)[:10]
        shown = ", ".join(f"{self.names[at]}: {self.importances_mean[at]:.4f}" for at in order)
        return f"<Importances of {len(self.names)} columns on {self.samples} samples: {shown}>"


class PartialDependence:
    """The mean prediction if all samples had the same value in one column.

    Attributes
    ----------
    column : str or int
        The column.
    values : list
        Its values: numbers, texts, dates as text, None for a gap.
    means : ndarray of shape (n_values, n_outputs)
        The mean prediction at each value: of each class, label or target.
    samples : int
        Samples that counted.
    """

    def __init__(self, column, found):
        self.column = column
        self.values, means, self._svg, self.samples = found
        self.means = np.array(means)

    def plot(self) -> Plot:
        """Draw the mean predictions of the output that was asked for."""
        return Plot(self._svg)


class Explanation:
    """What each column adds to one prediction.

    ``prediction`` is ``neutral`` plus all contributions, to within a thousandth of the sum of their sizes.

    Attributes
    ----------
    output : object
        The class, label or target whose prediction is explained.
    prediction : float
        Its probability, or its value.
    neutral : float
        The prediction for a row that speaks for no value of any column.
    contributions : dict
        What each column, by name or position, adds to the prediction, the largest first.
    """

    def __init__(self, output, names, found):
        self.output = output
        self.prediction, self.neutral, contributions, self._svg = found
        order = sorted(range(len(names)), key=lambda at: -abs(contributions[at]))
        self.contributions = {names[at]: contributions[at] for at in order}

    def plot(self) -> Plot:
        """Draw the contributions, the largest first."""
        return Plot(self._svg)

    def __repr__(self):
        first = list(self.contributions.items())[:5]
        shown = ", ".join(f"{name}: {value:+.4g}" for name, value in first)
        return f"<Explanation of {self.output!r}: {self.prediction:.4g} = {self.neutral:.4g} {shown}, ...>"


class Explaining:
    """Gives an estimator the methods that tell what its predictions depend on."""

    def importances(
        self,
        X: Any,
        y: ArrayLike,
        *,
        n_repeats: int = 5,
        max_samples: int | None = 5000,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    ) -> Importances:
        """Return the permutation importances of the columns: how much worse the score becomes without each of them.

        The values of a column are shuffled among the samples, so that it tells nothing about its sample; the definition is
        that of scikit-learn's `permutation_importance` (Breiman 2001). Columns that say the same share their importance.

        Parameters
        ----------
        X : array-like or frame
            Samples, preferably others than those that the model was trained on.
        y : array-like
            Their targets.
        n_repeats : int, default=5
            How often each column is shuffled.
        max_samples : int or None, default=5000
            At most so many samples count, drawn at random; None for all.
        random_state : int, RandomState, Generator or None, default=0
            Source of the random numbers. The same seed gives the same importances at any number of threads.

        Returns
        -------
        importances : Importances
        """
        X = _frames.collected(X)
        model = self._fitted()
        X = self._in_order(X, _inputs.feature_names(X), stacklevel=4)
        values, shape = self._rows(X)
        self._check_count(values.shape[1])
        kept = _core.kept(model, values, self._encoded(y, len(values)), list(shape))
        return self._importances(kept, n_repeats, max_samples, random_state)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Permutation importances of the columns: how much accuracy or R^2 falls when a column is shuffled.

        They are computed when they are first asked for, on at most 2,000 of the samples that `fit` held out for validation
        or was given for it; without such samples on those that the model was trained on. Pickles and files do not contain
        samples: for their models use `importances`.
        """
        found = self.__dict__.get("_found_importances")
        if found is None:
            self._trained("feature_importances_")
            kept = self.__dict__.get("_kept")
            if kept is None:
                raise AttributeError(
                    f"this {type(self).__name__} was loaded or has no samples of its training: use importances(X, y)"
                )
            found = self._found_importances = self._importances(kept, 5, None, 0).importances_mean
        return found.copy()

    def partial_dependence(
        self,
        X: Any,
        column: str | int,
        *,
        output: Any = None,
        n_points: int = 20,
        max_samples: int | None = 1000,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    ) -> PartialDependence:
        """Return how predictions depend on one column: the mean prediction if all samples had the same value there.

        For numbers and dates the values are quantiles from 5 to 95 %, for categories the most frequent ones (Friedman 2001).
        Where columns depend on each other, the mean is also over samples that do not exist.

        Parameters
        ----------
        X : array-like or frame
            Samples.
        column : str or int
            The column, by name or position.
        output : object, default=None
            The class, or the position of the label or target, that the plot shows; None for the last class or the first
            target.
        n_points : int, default=20
            At most so many values.
        max_samples : int or None, default=1000
            At most so many samples count, drawn at random; None for all.
        random_state : int, RandomState, Generator or None, default=0
            Source of the random numbers.

        Returns
        -------
        dependence : PartialDependence
        """
        X = _frames.collected(X)
        model = self._fitted()
        X = self._in_order(X, _inputs.feature_names(X), stacklevel=4)
        values, _ = self._rows(X)
        self._check_count(values.shape[1])
        names = self._column_names()
        if column in names:
            place = names.index(column)
        elif isinstance(column, (int, np.integer)) and 0 <= column < len(names):
            place = int(column)
        else:
            raise ValueError(f"column is {column!r}, but must be one of {', '.join(map(repr, names[:20]))}")
        at = self._output(output)
        found = _core.partial_dependence(
            model,
            values,
            place,
            str(names[place]),
            output=at,
            output_name=model.names[at],
            points=_settings.whole("n_points", n_points, least=2),
            most_samples=_settings.whole("max_samples", max_samples, least=1, none=True),
            seed=_settings.seed(random_state),
            threads=_settings.threads(self.n_jobs),
        )
        return PartialDependence(names[place], found)

    def explain(self, row: Any, output: Any = None) -> Explanation:
        """Return what each column adds to the prediction for one row: integrated gradients (Sundararajan et al. 2017).

        Parameters
        ----------
        row : dict, sequence, or frame or array of one row
            The row.
        output : object, default=None
            The class, or the position of the label or target, that is explained; None for the most probable class, or the
            first target.

        Returns
        -------
        explanation : Explanation
        """
        is_cells = isinstance(row, (list, tuple)) and not (row and isinstance(row[0], (list, tuple, dict, np.ndarray)))
        if isinstance(row, dict) or is_cells or (isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype.names is None):
            row = [row]
        X = _frames.collected(row)
        model = self._fitted()
        X = self._in_order(X, _inputs.feature_names(X), stacklevel=4)
        values, _ = self._rows(X)
        self._check_count(values.shape[1])
        if len(values) != 1:
            raise ValueError(f"row has {len(values)} rows, expected one")
        at = self._most_probable(values) if output is None else self._output(output)
        names = self._column_names()
        found = _core.contributions(model, values, at, [str(name) for name in names], model.names[at])
        return Explanation(self._output_of(at), names, found)

    def _importances(self, kept, n_repeats, max_samples, random_state):
        names = self._column_names()
        found = _core.importances(
            self._fitted(),
            kept,
            [str(name) for name in names],
            repeats=_settings.whole("n_repeats", n_repeats, least=1),
            most_samples=_settings.whole("max_samples", max_samples, least=1, none=True),
            seed=_settings.seed(random_state),
            threads=_settings.threads(self.n_jobs),
        )
        return Importances(names, found)

    def _column_names(self):
        """Returns the names of the columns, or their positions."""
        return list(self.__dict__.get("feature_names_in_", range(self.n_features_in_)))

    def __getstate__(self):
        # Samples stay behind.
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}
