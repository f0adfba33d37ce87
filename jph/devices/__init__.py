"""Device libraries: they speak to hardware and know no bus."""
