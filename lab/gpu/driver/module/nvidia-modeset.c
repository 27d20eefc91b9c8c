// Stand-in for NVIDIA's nvidia-modeset module.
#include <linux/module.h>

MODULE_LICENSE("@LICENSE@");
MODULE_VERSION("@VERSION@");
MODULE_DESCRIPTION("Stand-in without hardware access");
