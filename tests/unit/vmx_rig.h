/* Capabilities of CPU models for the tests of src/vmx: as the silicon had them, or with every control there is. */
#ifndef TESTS_UNIT_VMX_RIG_H
#define TESTS_UNIT_VMX_RIG_H

#include "vmx/capability.h"

/* A model's own features, whether or not this version shows them. */
struct feature_set vmx_rig_features(const char *model);
struct vmx_capability vmx_rig_capability(const char *model);

/* A processor on which every named control may be 1 and only the default1 class without names must be. */
struct vmx_capability vmx_rig_everything(void);

#endif
