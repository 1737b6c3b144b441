-- Every node writes it itself by now.
drop trigger keep_label on apps;
drop function label_of_name();
