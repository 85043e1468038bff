"""A plugin of pytest that puts gradus's estimators in the place of scikit-learn's (test_sklearn_suite.py)."""

import sklearn.neural_network

import gradus

sklearn.neural_network.MLPClassifier = gradus.MLPClassifier
sklearn.neural_network.MLPRegressor = gradus.MLPRegressor
