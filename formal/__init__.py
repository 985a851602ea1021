"""Models of SL1 that machines search: Spin's in `spin/`, ProVerif's in `proverif/`."""
