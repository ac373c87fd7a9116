"""The test rig: real OpenBao, real provider, real Kubernetes parts, shared by the tests and the lab.

Only faults are made here (proxies that misbehave); nothing replaces OpenBao, etcd or kube-apiserver.
"""
