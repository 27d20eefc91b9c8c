// Stand-in for NVIDIA's kernel module: it builds as the real one does and says its version and licence; it drives nothing.
#include <linux/module.h>
#include <linux/pci.h>

static const struct pci_device_id nvidia_devices[] = {
	{ .vendor = 0x10de, .device = PCI_ANY_ID, .subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID,
	  .class = PCI_CLASS_DISPLAY_VGA << 8, .class_mask = ~0 },
	{ .vendor = 0x10de, .device = PCI_ANY_ID, .subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID,
	  .class = PCI_CLASS_DISPLAY_3D << 8, .class_mask = ~0 },
	{ }
};

MODULE_DEVICE_TABLE(pci, nvidia_devices);
MODULE_LICENSE("@LICENSE@");
MODULE_VERSION("@VERSION@");
MODULE_DESCRIPTION("Stand-in without hardware access");
