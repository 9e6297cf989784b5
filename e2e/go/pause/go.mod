// The process that holds a pod's namespaces.
module brickline.dev/e2e/pause

go 1.26.0
