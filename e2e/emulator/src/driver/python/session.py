"""A session: how a worker's Python reaches the Spark of its cluster."""

import os


def attach(gateway, group):
    """Connects to the cluster's JVM and opens a session of this run's own."""
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_GATEWAY_PORT"] = str(gateway["port"])
    os.environ["PYSPARK_GATEWAY_SECRET"] = gateway["secret"]
    SparkContext._ensure_initialized()
    del os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"]
    jvm = SparkContext._jvm
    root = jvm.org.apache.spark.sql.SparkSession.getDefaultSession().get()
    jsc = jvm.org.apache.spark.api.java.JavaSparkContext.fromSparkContext(root.sparkContext())
    context = SparkContext(gateway=SparkContext._gateway, jsc=jsc, conf=SparkConf(_jvm=jvm, _jconf=jsc.getConf()))
    session = SparkSession(context, root.newSession())
    # Both belong to the cluster: a run that stops them would stop everyone's.
    context.stop = session.stop = lambda: None
    context.setJobGroup(group, group, interruptOnCancel=True)
    return context, session
