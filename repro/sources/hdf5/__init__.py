"""Source `hdf5`: data sets in the file layout of the original author, read with h5py alone and written for his code."""
