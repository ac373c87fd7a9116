// Package conformance runs Kubernetes' own KMS v2 client, as kube-apiserver 1.34 has it, against
// the
// provider's socket. python -m rig.conformance starts OpenBao and the provider and then these
// tests.
package conformance
