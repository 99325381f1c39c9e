"""What DICOM defines and more than one room needs."""
