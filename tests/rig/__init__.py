"""The test rig: real OpenBao, real provider, real Kubernetes parts, shared by tests and lab.

Only faults are made here (proxies that misbehave); nothing replaces OpenBao, etcd or the API
server.
"""
