// The program inside the cluster's own test pods.
module brickline.dev/e2e/probe

go 1.26.0
