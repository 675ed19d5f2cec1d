"""cxresearch: customer-experience claims on trial against your own data."""

from cxresearch.study import Study, read_study, study_from
from cxresearch.histories import age_of_last, bad_count, contacts_within, grade_count, last_grade
