"""A cluster's driver: owns the JVM with the one SparkContext that all notebooks of this cluster share."""

import os
import threading

from brickline_driver.wire import Wire


def main():
    wire = Wire()
    config = wire.receive()
    if config is None:
        return
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    conf = SparkConf().setAll(config["conf"].items())
    spark = SparkSession.builder.config(conf=conf).getOrCreate()
    context = spark.sparkContext
    gateway = context._gateway.gateway_parameters
    wire.send("ready", port=gateway.port, secret=gateway.auth_token, version=context.version)
    jvm = context._gateway.proc
    closing = threading.Event()
    threading.Thread(target=_watch_jvm, args=(jvm, closing), daemon=True).start()
    threading.Thread(target=_warm_up, args=(spark,), daemon=True).start()
    while (message := wire.receive()) is not None:
        if "cancel" in message:
            context.cancelJobGroup(message["cancel"])
    closing.set()
    _close_jvm(jvm)
    # Nothing is left to tidy: Spark's own exit hooks would only ask the JVM that has just gone.
    os._exit(0)


def _watch_jvm(jvm, closing):
    """A JVM that dies takes the cluster down: the emulator sees the end of this process."""
    jvm.wait()
    if not closing.is_set():
        os._exit(3)


def _warm_up(spark):
    """Loads the classes of a first query, which otherwise the first notebook would wait for."""
    spark.createDataFrame([(1,)], ["a"]).collect()


def _close_jvm(jvm):
    """The JVM leaves when its stdin closes; waiting for it leaves no zombie behind."""
    jvm.stdin.close()
    jvm.wait(timeout=10)
