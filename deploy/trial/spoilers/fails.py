raise RuntimeError("a version that does not become ready")
