"""The Python half of the emulator: a cluster's Spark, the processes that run notebooks, and the reaper."""
