-- The next version keeps a label of each app beside its name. A node of the version before does not
-- write it, so the database does.
alter table apps add column label text;
create function label_of_name() returns trigger language plpgsql as $$
begin
  new.label := coalesce(new.label, upper(new.name));
  return new;
end
$$;
create trigger keep_label before insert or update on apps
  for each row execute function label_of_name();
update apps set label = upper(name);
