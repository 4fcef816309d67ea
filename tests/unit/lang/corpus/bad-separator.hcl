--- a/main.zen.hcl
+++ b/main.zen.hcl
@@ -1 +1 @@
-a = 1
+a = 2
