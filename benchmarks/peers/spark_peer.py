"""Spark's MultilayerPerceptronClassifier on local[THREADS]: L-BFGS over all samples, sigmoid hidden units.

--epochs counts iterations; Spark reports no time of a single one, so that `epoch_seconds` has their mean.
"""

import time

import numpy as np
import pandas as pd
import pyspark
from pyspark.ml.classification import MultilayerPerceptronClassifier
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession

import common


def frame(spark, images, labels):
    rows = pd.DataFrame({"pixels": list(images.astype(np.float64) / 255), "label": labels.astype(float)})
    data = spark.createDataFrame(rows)
    data = data.select(array_to_vector("pixels").alias("features"), "label").repartition(2).cache()
    data.count()
    return data


def lbfgs(options):
    spark = (
        SparkSession.builder.master(f"local[{options.threads}]")
        .config("spark.driver.memory", "6g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    x, y, x_test, y_test = common.load(options.files)
    train, test = frame(spark, x, y), frame(spark, x_test, y_test)
    sizes = [weight.shape[1] for weight, _ in common.start(options.start)]
    trainer = MultilayerPerceptronClassifier(
        layers=[784, *sizes], maxIter=options.epochs, tol=0.0, seed=options.seed, blockSize=128
    )
    begin = time.perf_counter()
    model = trainer.fit(train)
    seconds = time.perf_counter() - begin
    accuracy = model.transform(test).selectExpr("avg(cast(prediction = label as double))").first()[0]
    spark.stop()
    return {"epoch_seconds": [seconds / options.epochs], "test_accuracy": accuracy}


if __name__ == "__main__":
    options = common.options(__doc__.splitlines()[0], ["lbfgs"])
    common.report(**lbfgs(options), version=f"Spark {pyspark.__version__}")
