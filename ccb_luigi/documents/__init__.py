"""Raw BSON comes in; rows, findings and rejections go out, in the end as text for COPY: all of it pure."""
